//! The SPMD's model against what real ones do.

use ring::{
    replay::{self, Crossing},
    spmd::Behaviour,
};

fn recorded(name: &str) -> Vec<Crossing> {
    let path = format!("{}/recordings/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| replay::parse(line).unwrap()).collect()
}

#[test]
fn the_model_does_what_tf_a_2_12_1_does() {
    let crossings = recorded("tf-a-2.12.1.jsonl");
    let compared = replay::replay(Behaviour::Tfa2_12, &crossings).unwrap();
    println!("{compared:?} of {} crossings", crossings.len());
    assert!(compared.returns > 150, "{compared:?}");
}

#[test]
fn the_other_behaviour_is_another() {
    let crossings = recorded("tf-a-2.12.1.jsonl");
    assert!(replay::replay(Behaviour::ByCompletion, &crossings).is_err());
}

#[test]
fn a_damaged_recording_is_noticed() {
    let mut crossings = recorded("tf-a-2.12.1.jsonl");
    let returns = |crossing: &&mut Crossing| crossing.case == "req2" && crossing.to == "NS-EL2";
    crossings.iter_mut().find(returns).unwrap().x[9] ^= 1;
    let error = replay::replay(Behaviour::Tfa2_12, &crossings).unwrap_err();
    assert!(error.contains("req2") && error.contains("x9"), "{error}");
}
