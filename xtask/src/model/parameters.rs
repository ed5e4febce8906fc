//! The parameters of Arm's model: what makes of it the board that the firmware is built for.

use crate::board::{CORES, Image};
use std::path::Path;

/// A parameter and its value.
pub type Parameter = (String, String);

/// Of the platform: memory, power, what the distributor and the SMMU have, no window.
const PLATFORM: [(&str, &str); 19] = [
    ("bp.dram_size", "4"),
    // Core 0 alone starts; TF-A switches the others on.
    ("pctl.startup", "0.0.0.0"),
    // The memory controller and the trusted memories tell the worlds apart.
    ("bp.secure_memory", "1"),
    ("bp.ve_sysregs.mmbSiteDefault", "0"),
    // TF-A's way of switching off ends the model.
    ("bp.ve_sysregs.exit_on_shutdown", "1"),
    // Tags for memory tagging.
    ("bp.dram_metadata.is_enabled", "1"),
    ("gic_distributor.ARE-fixed-to-one", "1"),
    ("gic_distributor.extended-ppi-count", "64"),
    ("gic_distributor.extended-spi-count", "1024"),
    ("pci.pci_smmuv3.mmu.SMMU_AIDR", "2"),
    ("pci.pci_smmuv3.mmu.SMMU_IDR0", "0x0046123B"),
    ("pci.pci_smmuv3.mmu.SMMU_IDR1", "0x00600002"),
    ("pci.pci_smmuv3.mmu.SMMU_IDR3", "0x1714"),
    ("pci.pci_smmuv3.mmu.SMMU_IDR5", "0xFFFF0472"),
    ("pci.pci_smmuv3.mmu.SMMU_S_IDR1", "0xA0000002"),
    ("pci.pci_smmuv3.mmu.SMMU_S_IDR2", "0"),
    ("pci.pci_smmuv3.mmu.SMMU_S_IDR3", "0"),
    ("bp.vis.disable_visualisation", "1"),
    ("bp.vis.rate_limit-enable", "false"),
];

/// Of each of the two clusters.
const CLUSTER: [(&str, &str); 6] = [
    ("NUM_CORES", "4"),
    ("has_arm_v8-5", "1"),
    ("has_pointer_authentication", "2"),
    ("bti_support_level", "1"),
    ("memory_tagging_support_level", "2"),
    ("gicv3.extended-interrupt-range-support", "1"),
];

/// Of each UART: bytes are neither paced nor held back.
const UART: [(&str, &str); 2] = [("untimed_fifos", "1"), ("unbuffered_output", "1")];

/// How many UARTs carry something.
pub const UARTS: usize = 4;

/// Those of both ways of booting.
pub fn common() -> Vec<Parameter> {
    let platform = PLATFORM
        .iter()
        .map(|(name, value)| ((*name).to_owned(), *value));
    let clusters = CLUSTER.iter().flat_map(|(name, value)| {
        (0..2).map(move |cluster| (format!("cluster{cluster}.{name}"), *value))
    });
    let uarts = UART.iter().flat_map(|(name, value)| {
        (0..UARTS).map(move |uart| (format!("bp.pl011_uart{uart}.{name}"), *value))
    });
    // Nobody looks at a terminal.
    let terminals = (0..UARTS).map(|uart| (format!("bp.terminal_{uart}.start_telnet"), "0"));
    platform
        .chain(clusters)
        .chain(uarts)
        .chain(terminals)
        .map(|(name, value)| (name, value.to_owned()))
        .collect()
}

/// Where every core starts.
pub fn reset_address(address: u64) -> Vec<Parameter> {
    (0..CORES)
        .map(|core| {
            let name = format!("cluster{}.cpu{}.RVBAR", core / 4, core % 4);
            (name, format!("{address:#x}"))
        })
        .collect()
}

/// The files from which BL1 and the FIP come.
pub fn flash(bl1: &str, fip: &str) -> Vec<Parameter> {
    [
        ("bp.secureflashloader.fname", bl1),
        ("bp.flashloader0.fname", fip),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// The files to which the UARTs go.
pub fn uart_files(folder: &Path) -> Vec<Parameter> {
    (0..UARTS)
        .map(|uart| {
            let file = folder.join(uart_file(uart));
            (
                format!("bp.pl011_uart{uart}.out_file"),
                file.display().to_string(),
            )
        })
        .collect()
}

/// The name of a UART's file.
pub fn uart_file(uart: usize) -> String {
    format!("uart{uart}.log")
}

/// The option that puts a file into memory.
pub fn data(file: &str, address: u64) -> [String; 2] {
    [
        "--data".to_owned(),
        format!("cluster0.cpu0={file}@{address:#x}"),
    ]
}

/// All arguments: parameters, then files in memory.
pub fn arguments(image: &Image, uarts: &Path) -> Vec<String> {
    let mut parameters = common();
    let mut files = Vec::new();
    match image {
        Image::TwoFiles { bl1, fip } => {
            let text = |file: &Path| file.display().to_string();
            parameters.extend(flash(&text(bl1), &text(fip)));
        }
        Image::Memory { reset, files: list } => {
            parameters.extend(reset_address(*reset));
            files.extend(
                list.iter()
                    .flat_map(|(file, address)| data(&file.display().to_string(), *address)),
            );
        }
        // No flow of this board makes one.
        Image::OneFile(_) => {}
    }
    parameters.extend(uart_files(uarts));
    parameters
        .into_iter()
        .flat_map(|(name, value)| ["-C".to_owned(), format!("{name}={value}")])
        .chain(files)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What owners of the model are told to give, for both ways of booting, one for each line; `{0,1}` stands for
    /// both clusters or the first two UARTs.
    const BOTH: &str = "\
bp.dram_size=4
cluster{0,1}.NUM_CORES=4
pctl.startup=0.0.0.0
bp.secure_memory=1
bp.ve_sysregs.mmbSiteDefault=0
bp.ve_sysregs.exit_on_shutdown=1
cluster{0,1}.has_arm_v8-5=1
cluster{0,1}.has_pointer_authentication=2
cluster{0,1}.bti_support_level=1
cluster{0,1}.memory_tagging_support_level=2
bp.dram_metadata.is_enabled=1
gic_distributor.ARE-fixed-to-one=1
gic_distributor.extended-ppi-count=64
gic_distributor.extended-spi-count=1024
cluster{0,1}.gicv3.extended-interrupt-range-support=1
pci.pci_smmuv3.mmu.SMMU_AIDR=2
pci.pci_smmuv3.mmu.SMMU_IDR0=0x0046123B
pci.pci_smmuv3.mmu.SMMU_IDR1=0x00600002
pci.pci_smmuv3.mmu.SMMU_IDR3=0x1714
pci.pci_smmuv3.mmu.SMMU_IDR5=0xFFFF0472
pci.pci_smmuv3.mmu.SMMU_S_IDR1=0xA0000002
pci.pci_smmuv3.mmu.SMMU_S_IDR2=0
pci.pci_smmuv3.mmu.SMMU_S_IDR3=0
bp.pl011_uart{0,1}.untimed_fifos=1
bp.pl011_uart{0,1}.unbuffered_output=1
bp.vis.disable_visualisation=1
bp.vis.rate_limit-enable=false";

    /// What is beside those: the other UARTs, no terminals, files for all UARTs.
    const MORE: usize = 4 + 4 + 4;

    fn both() -> Vec<String> {
        BOTH.lines()
            .flat_map(|line| match line.split_once("{0,1}") {
                Some((before, after)) => (0..2)
                    .map(|number| format!("{before}{number}{after}"))
                    .collect(),
                None => vec![line.to_owned()],
            })
            .collect()
    }

    /// What follows each `option`.
    fn values(arguments: &[String], option: &str) -> Vec<String> {
        let pairs = arguments.chunks_exact(2);
        assert!(pairs.remainder().is_empty());
        pairs
            .filter(|pair| pair[0] == option)
            .map(|pair| pair[1].clone())
            .collect()
    }

    #[test]
    fn the_bl1_flow_is_what_owners_of_the_model_run() {
        let image = Image::TwoFiles {
            bl1: "/i/bl1.bin".into(),
            fip: "/i/fip.bin".into(),
        };
        let arguments = arguments(&image, Path::new("/u"));
        let parameters = values(&arguments, "-C");
        let mut wanted = both();
        wanted.extend(
            [
                "bp.secureflashloader.fname=/i/bl1.bin",
                "bp.flashloader0.fname=/i/fip.bin",
            ]
            .map(str::to_owned),
        );
        for parameter in &wanted {
            assert!(parameters.contains(parameter), "{parameter}");
        }
        assert_eq!(parameters.len(), wanted.len() + MORE);
        assert!(values(&arguments, "--data").is_empty());
    }

    #[test]
    fn the_preloaded_flow_is_what_owners_of_the_model_run() {
        let files = [
            ("bl31.bin", 0x0401_0000),
            ("spmc.bin", 0x0600_0000),
            ("spmc-manifest.dtb", 0x0403_f000),
            ("bl33.bin", 0x8800_0000),
            ("board.dtb", 0x8200_0000),
            ("echo.pkg", 0x0700_0000),
        ];
        let image = Image::Memory {
            reset: 0x0401_0000,
            files: files.map(|(file, at)| (file.into(), at)).into(),
        };
        let arguments = arguments(&image, Path::new("/u"));
        let parameters = values(&arguments, "-C");
        let mut wanted = both();
        for cluster in 0..2 {
            wanted.extend((0..4).map(|core| format!("cluster{cluster}.cpu{core}.RVBAR=0x4010000")));
        }
        for parameter in &wanted {
            assert!(parameters.contains(parameter), "{parameter}");
        }
        assert_eq!(parameters.len(), wanted.len() + MORE);
        assert_eq!(
            values(&arguments, "--data"),
            [
                "cluster0.cpu0=bl31.bin@0x4010000",
                "cluster0.cpu0=spmc.bin@0x6000000",
                "cluster0.cpu0=spmc-manifest.dtb@0x403f000",
                "cluster0.cpu0=bl33.bin@0x88000000",
                "cluster0.cpu0=board.dtb@0x82000000",
                "cluster0.cpu0=echo.pkg@0x7000000",
            ]
        );
    }

    #[test]
    fn no_parameter_is_given_twice() {
        let mut names: Vec<_> = common().into_iter().map(|(name, _)| name).collect();
        names.sort();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
