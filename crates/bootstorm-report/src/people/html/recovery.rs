//! Recovery curves: the share of VMs that was back after a number of seconds from the first request.

use super::blocks;
use super::chart::steps::{self, Crowd};
use super::chart::{self, Axis, Frame, Plot, Size};
use super::markup::Markup;
use super::subject::Subjects;
use crate::people::document::{Cell, Column, Table};
use crate::people::words;
use crate::phase::Recovery;

/// Writes the section.
pub(super) fn write(body: &mut Markup, subjects: &Subjects<'_>) {
    let Some(main) = subjects.main() else { return };
    body.open("section", &[("id", "recovery")]).leaf("h2", &[], "Recovery");
    let crowds: Vec<Crowd> = subjects
        .iter()
        .map(|subject| Crowd {
            class: subject.role.class(),
            label: subject.label(),
            arrivals: subject.arrivals(),
        })
        .collect();
    let last = crowds.iter().filter_map(|crowd| crowd.arrivals.max()).fold(0.0, f64::max);
    if last > 0.0 {
        legend(body, &crowds);
        let label = format!("Share of the VMs that are {} over time, in percent", main.phase.goal.state());
        let after = format!("after {}", main.phase.zero().1);
        let title = format!("seconds {after}");
        chart::draw(body, false, &label, |size| {
            let mut plot = Plot::new(&Frame {
                size,
                height: if size == Size::Half { 290.0 } else { 260.0 },
                x: Axis { top: last * 1.02, title: &title },
                y: Axis { top: 100.0, title: "% of the VMs" },
                x_ticks: true,
            });
            steps::level(&mut plot, 95.0);
            steps::write(&mut plot, &crowds, &after);
            plot.finish()
        });
    } else if main.phase.recovery.start_unknown {
        body.leaf("p", &[("class", "empty")], words::START_UNKNOWN);
    } else {
        body.leaf(
            "p",
            &[("class", "empty")],
            &format!("No VM was {} in this phase.", main.phase.goal.state()),
        );
    }
    levels(body, subjects);
    body.close("section");
}

pub(super) fn legend(body: &mut Markup, crowds: &[Crowd]) {
    let entries: Vec<(&str, &str)> = crowds.iter().map(|crowd| (crowd.class, crowd.label.as_str())).collect();
    chart::legend(body, &entries);
}

/// Times until shares of the VMs were back.
fn levels(body: &mut Markup, subjects: &Subjects<'_>) {
    let zero = subjects.main().map_or("the first request", |main| main.phase.zero().1);
    let caption = format!("Seconds from {zero} until a share of the VMs had reached the goal");
    // A column for each phase, so that no time is out of sight beside the curve or on a phone.
    let phases = subjects
        .iter()
        .map(|subject| Column::seconds(format!("{}: {}", subject.label(), subject.phase.goal)));
    let mut table = Table::new(caption, [Column::words("VMs")].into_iter().chain(phases));
    let all = |recovery: &Recovery| [recovery.t50, recovery.t90, recovery.t95, recovery.t99, recovery.t100];
    for (place, share) in ["50 %", "90 %", "95 %", "99 %", "everyone"].into_iter().enumerate() {
        let times = subjects.iter().map(|subject| Cell::quantile(all(&subject.phase.recovery)[place]));
        table.push(None, [Cell::words(share)].into_iter().chain(times));
    }
    blocks::open_table(body, &table);
}
