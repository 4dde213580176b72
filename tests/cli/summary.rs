//! Output without a format: one screen, and the next command.

use crate::support::Cluster;

/// Asserts that a text fits a screen of 80 columns and 40 lines.
#[track_caller]
fn fits(text: &str) {
    assert!(text.lines().count() <= 40, "{} lines:\n{text}", text.lines().count());
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn every_phase_ends_with_a_screen_and_the_next_command() {
    let cluster = Cluster::instant();
    let run = |args: &[&str]| {
        let program = cluster.program().env("BOOTSTORM_OUTPUT", "summary").env("COLUMNS", "80");
        program.run(args)
    };
    run(&["setup", "--end", "30", "--probe", "none"]).exits(0);
    for (phase, name, next) in
        [("create", "create", "stop"), ("stop", "stop-1", "storm"), ("storm", "storm-1", "cleanup")]
    {
        let ran = run(&[phase]).exits(0);
        fits(&ran.stdout);
        let last = ran.stdout.lines().last().unwrap();
        assert!(last.ends_with(&format!("kubectl bootstorm {next} --ns-prefix boot-storm-test")), "{last}");
        let counts = ran.stdout.lines().find(|line| line.starts_with(name) && line.contains("30/30"));
        assert!(counts.is_some(), "{}", ran.stdout);
        ran.prints(&["since the first request", "Slowest in"]);
    }
    let report = run(&["report"]).exits(0);
    fits(&report.stdout);
    report.prints(&["Verdict: ", "storm-1 against create", "storm-1 (solid), create (dotted)"]);
    // Every row is one flag away, also by its former name.
    let rows = |format: &str| {
        let ran = run(&["report", "-o", format]).exits(0);
        ran.stdout.lines().filter(|line| line.starts_with("boot-storm-test-")).count()
    };
    assert_eq!((rows("guide"), rows("table")), (60, 60));
}
