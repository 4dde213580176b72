//! Each rule alone: its limits and its text.

use super::*;

/// A phase of 100 VMs without any doubts.
fn clean() -> Conditions {
    Conditions {
        vms: 100,
        median: Some(10.0),
        asked: 100,
        watch: Some(Late { count: 500, p99: 0.004, longest: 0.02 }),
        timer: Some(Late { count: 800, p99: 0.002, longest: 0.01 }),
        processors: Some((0.1, 2)),
        clock: Some((-0.01, 0.01)),
        probe: Some(0.21),
        changed_before: Some(Vec::new()),
        changed_meanwhile: Some(Vec::new()),
        ..Conditions::default()
    }
}

/// The grade that results from one change of the clean phase, and the rule that gave it.
fn with(change: impl FnOnce(&mut Conditions)) -> (Validity, Option<Doubt>) {
    let mut conditions = clean();
    change(&mut conditions);
    let findings = judge(&conditions);
    let grade = worst(&findings);
    let rules: Vec<Doubt> = findings
        .iter()
        .filter(|finding| finding.grade.is_some_and(|grade| grade != Validity::Valid))
        .map(|finding| finding.rule)
        .collect();
    assert!(rules.len() < 2, "one change concerns one rule: {findings:?}");
    (grade, rules.first().copied())
}

#[test]
fn a_clean_phase_is_valid_and_every_rule_says_what_it_measured() {
    assert_eq!(with(|_| {}), (Validity::Valid, None));
    let findings = judge(&clean());
    assert_eq!(findings.len(), 8);
    assert!(findings.iter().all(|finding| finding.grade.is_some() && !finding.measured.is_empty()));
    assert_eq!(worst(&judge(&Conditions::default())), Validity::Valid, "nothing measured speaks against it");
}

#[test]
fn a_cut_watch_matters_as_far_as_it_hid_times() {
    let cut = |unseen: usize, gap: f64| {
        move |of: &mut Conditions| {
            (of.gaps, of.gap, of.longest_gap) = (1, gap, gap);
            (of.late, of.unseen) = (unseen, unseen);
        }
    };
    assert_eq!(with(cut(0, 5.0)), (Validity::Valid, None));
    assert_eq!(with(cut(1, 5.0)), (Validity::Valid, None));
    assert_eq!(with(cut(2, 5.0)), (Validity::Qualified, Some(Doubt::Watch)));
    assert_eq!(with(cut(60, 2.0)), (Validity::Qualified, Some(Doubt::Watch)));
    assert_eq!(with(cut(60, 5.0)), (Validity::Invalid, Some(Doubt::Watch)));
    // Stamped times are exact to a second, however long the gap was.
    let stamped = |of: &mut Conditions| {
        (of.gaps, of.gap, of.longest_gap) = (1, 60.0, 60.0);
        (of.stamped, of.unseen) = (90, 90);
    };
    assert_eq!(with(stamped), (Validity::Qualified, Some(Doubt::Watch)));
}

#[test]
fn a_saturated_client_counts_against_the_times_that_it_measured() {
    let late = |p99: f64, median: f64| {
        move |of: &mut Conditions| {
            of.timer = Some(Late { count: 100, p99, longest: p99 * 2.0 });
            of.median = Some(median);
        }
    };
    assert_eq!(with(late(0.09, 0.9)), (Validity::Valid, None), "too little to matter");
    assert_eq!(with(late(0.4, 10.0)), (Validity::Valid, None), "4 % of the median");
    assert_eq!(with(late(0.6, 10.0)), (Validity::Qualified, Some(Doubt::Client)));
    assert_eq!(with(late(2.4, 10.0)), (Validity::Qualified, Some(Doubt::Client)));
    assert_eq!(with(late(2.6, 10.0)), (Validity::Invalid, Some(Doubt::Client)));
    let watch = |of: &mut Conditions| of.watch = Some(Late { count: 10, p99: 0.7, longest: 0.7 });
    assert_eq!(with(watch), (Validity::Qualified, Some(Doubt::Delay)));
    let mut delayed = clean();
    watch(&mut delayed);
    let measured = judge(&delayed).into_iter().find(|found| found.rule == Doubt::Delay).unwrap().measured;
    assert_eq!(measured, "10 changes arrived at least this late: p99 700 ms, maximum 700 ms");
    // Without a known median, a delay cannot be called negligible.
    let nobody = |of: &mut Conditions| {
        of.median = None;
        of.probe = None;
        of.timer = Some(Late { count: 9, p99: 0.2, longest: 0.2 });
    };
    assert_eq!(with(nobody), (Validity::Qualified, Some(Doubt::Client)));
}

#[test]
fn late_times_are_as_uncertain_as_the_longest_gap_and_without_one_as_stamps() {
    let late = |gaps: usize, longest_gap: f64| {
        with(|of| {
            (of.median, of.gaps, of.longest_gap) = (Some(3.0), gaps, longest_gap);
            (of.late, of.unseen) = (50, 50);
        })
    };
    assert_eq!(late(1, 0.2), (Validity::Qualified, Some(Doubt::Watch)));
    assert_eq!(late(1, 0.9), (Validity::Invalid, Some(Doubt::Watch)));
    assert_eq!(late(0, 0.0), (Validity::Invalid, Some(Doubt::Watch)), "nothing bounds it");
}

#[test]
fn unknown_times_throttling_and_coarse_probes_are_named() {
    assert_eq!(with(|of| of.unknown = 1), (Validity::Valid, None));
    assert_eq!(with(|of| of.unknown = 2), (Validity::Qualified, Some(Doubt::Unknown)));
    assert_eq!(with(|of| of.unknown = 26), (Validity::Invalid, Some(Doubt::Unknown)));
    let throttled = |of: &mut Conditions| (of.put_off, of.throttled) = (1, 3);
    assert_eq!(with(throttled), (Validity::Qualified, Some(Doubt::Requests)));
    let all = |of: &mut Conditions| (of.put_off, of.throttled) = (100, 300);
    assert_eq!(with(all), (Validity::Qualified, Some(Doubt::Requests)));
    assert_eq!(with(|of| of.retries = 9), (Validity::Valid, None), "none of the timed ones");
    assert_eq!(with(|of| of.probe = Some(1.1)), (Validity::Qualified, Some(Doubt::Probe)));
    assert_eq!(with(|of| of.probe = Some(5.1)), (Validity::Invalid, Some(Doubt::Probe)));
}

#[test]
fn the_servers_clock_matters_only_where_its_stamps_are_used() {
    let ahead = |stamped: usize| {
        move |of: &mut Conditions| {
            of.clock = Some((299.99, 300.01));
            of.stamped = stamped;
        }
    };
    assert_eq!(with(ahead(0)), (Validity::Valid, None));
    assert_eq!(with(ahead(1)), (Validity::Qualified, Some(Doubt::Clock)));
    let set = |of: &mut Conditions| (of.clock, of.stamped) = (Some((5.0, -5.0)), 1);
    assert_eq!(with(set), (Validity::Qualified, Some(Doubt::Clock)));
    let words = |least, most| {
        let findings = judge(&Conditions { clock: Some((least, most)), ..clean() });
        findings.into_iter().find(|finding| finding.rule == Doubt::Clock).unwrap().measured
    };
    assert_eq!(words(299.9, 300.1), "the server's is 300.00 s ahead (±0.10 s); times are measured on ours");
    assert_eq!(words(-60.5, -59.5), "the server's is 60.00 s behind (±0.50 s); times are measured on ours");
    assert_eq!(words(-0.4, 0.6), "the server's agrees with ours to ±0.50 s");
}

#[test]
fn a_cluster_that_changed_is_not_the_one_that_was_set_up() {
    let nodes = || Some(vec!["nodes 3 -> 2".to_owned()]);
    assert_eq!(with(|of| of.changed_before = nodes()), (Validity::Qualified, Some(Doubt::Cluster)));
    assert_eq!(with(|of| of.changed_meanwhile = nodes()), (Validity::Qualified, Some(Doubt::Cluster)));
    let upgraded = |of: &mut Conditions| {
        of.changed_meanwhile = Some(vec!["KubeVirt v1.6.2 -> v1.7.0".into()]);
        of.upgraded = true;
    };
    assert_eq!(with(upgraded), (Validity::Invalid, Some(Doubt::Cluster)));
    let unknown = |of: &mut Conditions| (of.changed_before, of.changed_meanwhile) = (None, None);
    assert_eq!(with(unknown), (Validity::Valid, None));
}
