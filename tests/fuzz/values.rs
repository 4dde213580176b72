//! Flag values.

use bootstorm::commands::values::{batch_size, count, duration, limit};
use bootstorm_model::plan::prefix::check_prefix;
use bootstorm_model::probe::kind::{Toleration, parse_probes};
use bootstorm_model::record::PhaseName;
use rand::RngExt;

use super::mutation::{mutate_text, noise};
use super::{cases, dice};

const GOOD: [&str; 14] = [
    "90s",
    "1h30m",
    "10m",
    "500ms",
    "PT1H",
    "90",
    "auto",
    "17",
    "ping,tcp:22,agent",
    "tcp:65535",
    "key=value:NoSchedule",
    "storm-12",
    "boot-storm-test",
    "1 hour ago",
];

#[test]
fn values_are_understood_or_refused() {
    let mut dice = dice(2);
    let now = bootstorm_model::observe::clock::monotonic_now();
    for case in 0..cases(30_000) {
        let text = match case % 4 {
            0 => String::from_utf8_lossy(&noise(40, &mut dice)).into_owned(),
            _ => mutate_text(GOOD[dice.random_range(0..GOOD.len())], &mut dice),
        };
        for parsed in [duration(&text), limit(&text)].into_iter().flatten() {
            // Every accepted value can be added to a clock.
            assert!(now.checked_add(parsed).is_some(), "{text}");
        }
        let _ = (count(&text), batch_size(&text), parse_probes(&text));
        let _ = (text.parse::<Toleration>().is_ok(), text.parse::<PhaseName>().is_ok());
        if check_prefix(&text, dice.random::<u32>()).is_ok() {
            assert!(
                text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
                "{text}"
            );
        }
    }
}
