//! `--faults`, with the program as a process.

use crate::support::Program;

#[test]
fn a_run_meets_what_the_file_says() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("faults.yaml");
    std::fs::write(&file, "- {effect: deny, match: {verb: create, resource: virtualmachines}}\n").unwrap();
    let args = ["run", "--sandbox", "--profile", "instant", "--end", "2", "--probe", "none", "--faults"];
    let program = Program::new(home.path());
    let run = |file: &str| {
        let args: Vec<&str> = args.iter().copied().chain([file]).collect();
        program.run(&args)
    };
    let refused = run("faults.yaml");
    assert!(refused.code != 0 && refused.stderr.contains("create virtualmachines"), "{refused:?}");
    std::fs::write(&file, "- {effect: throttled, count: 2, match: {verb: create, role: target}}\n").unwrap();
    run("faults.yaml").exits(0);
}

#[test]
fn mistakes_in_the_file_are_told_before_anything_starts() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("bad.yaml"), "- effect: cut\n- effect: explode\n").unwrap();
    let program = Program::new(home.path());
    let wrong = program.run(&["sandbox", "--faults", "bad.yaml"]).exits(2);
    for words in
        ["the faults in bad.yaml cannot be used", "fault 2: unknown effect \"explode\"", "patch-race"]
    {
        assert!(wrong.stderr.contains(words), "{}", wrong.stderr);
    }
    let missing = program.run(&["sandbox", "--faults", "none.yaml"]).exits(2);
    assert!(missing.stderr.contains("none.yaml"), "{}", missing.stderr);
}
