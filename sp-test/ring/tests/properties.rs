//! Random scripts that shrink: of a failure, proptest shows the shortest one it finds.

use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_script_is_sound(config: u64, script in prop::collection::vec(any::<u64>(), 1..120)) {
        prop_assert_eq!(ring::fuzz::script(config, &script), Ok(()));
    }

    #[test]
    fn any_raw_registers_are_sound(
        config: u64,
        steps in prop::collection::vec((0u32..0x40, any::<bool>(), any::<[u64; 3]>()), 1..120),
    ) {
        let mut data = config.to_le_bytes().to_vec();
        for (number, wide, rest) in steps {
            let fid = 0x8400_0060 | number | u32::from(wide) << 30;
            data.push(1);
            data.extend(u64::from(fid).to_le_bytes());
            for value in rest {
                data.extend(value.to_le_bytes());
            }
        }
        prop_assert_eq!(ring::fuzz::bytes(&data), Ok(()));
    }
}

#[test]
fn short_data_is_no_script() {
    for length in 0..40 {
        assert_eq!(ring::fuzz::bytes(&vec![1; length]), Ok(()));
    }
}
