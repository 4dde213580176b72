//! Distribution of the times: a histogram, and the share of VMs by time.

use super::chart::columns::histogram;
use super::chart::scale::{round_step, tick_label};
use super::chart::steps::{self, Crowd};
use super::chart::{self, Axis, Drawing, Frame, Plot, Size};
use super::markup::Markup;
use super::recovery::legend;
use super::subject::Subjects;
use bootstorm_model::observe::Milestone;

/// Writes a pair of charts per milestone.
pub(super) fn write(body: &mut Markup, subjects: &Subjects<'_>) {
    let milestones = subjects.milestones();
    let Some(main) = subjects.main().filter(|_| !milestones.is_empty()) else { return };
    let zero = main.phase.zero().0;
    body.open("section", &[("id", "spread")]).leaf("h2", &[], "Distribution");
    for milestone in milestones {
        let crowds: Vec<Crowd> = subjects
            .iter()
            .map(|subject| Crowd {
                class: subject.role.class(),
                label: subject.label(),
                arrivals: subject.sample(milestone),
            })
            .collect();
        pair(body, milestone, &crowds, zero);
    }
    body.close("section");
}

fn pair(body: &mut Markup, milestone: Milestone, crowds: &[Crowd], zero: &str) {
    let title = format!("seconds from {zero}");
    body.leaf("h3", &[], &format!("Time to {milestone}, per VM"));
    let last = crowds.iter().filter_map(|crowd| crowd.arrivals.max()).fold(0.0, f64::max);
    if last <= 0.0 {
        body.leaf("p", &[("class", "empty")], &format!("No VM was {}.", milestone.state()));
        return;
    }
    legend(body, crowds);
    body.open("div", &[("class", "pair")]);
    chart::draw(body, false, &format!("Histogram of the time to {milestone}, in seconds"), |size| {
        counts(size, crowds, last, &title)
    });
    chart::draw(
        body,
        false,
        &format!("Share of the VMs {} within so many seconds, in percent", milestone.state()),
        |size| {
            let mut plot = Plot::new(&Frame {
                size,
                height: 230.0,
                x: Axis { top: last * 1.02, title: &title },
                y: Axis { top: 100.0, title: "% of the VMs" },
                x_ticks: true,
            });
            steps::level(&mut plot, 95.0);
            steps::write(&mut plot, crowds, &format!("after {zero}"));
            plot.finish()
        },
    );
    body.close("div");
}

fn counts(size: Size, crowds: &[Crowd], last: f64, title: &str) -> Drawing {
    let wanted = if size == Size::Narrow { 14.0 } else { 28.0 };
    let width = round_step(last / wanted);
    let bins = (last / width).floor() as usize + 1;
    let columns: Vec<Vec<usize>> =
        crowds.iter().map(|crowd| histogram(crowd.arrivals.values(), width, bins)).collect();
    let most = columns.iter().flatten().copied().max().unwrap_or(1);
    let mut plot = Plot::new(&Frame {
        size,
        height: 230.0,
        x: Axis { top: width * bins as f64, title },
        y: Axis { top: most as f64 * 1.05, title: "VMs" },
        x_ticks: true,
    });
    for bin in 0..bins {
        let (from, to) = (plot.x.at(bin as f64 * width), plot.x.at((bin + 1) as f64 * width));
        let room = (to - from - 1.0) / crowds.len() as f64;
        let mut says =
            format!("{} to {} s", tick_label(bin as f64 * width), tick_label((bin + 1) as f64 * width));
        for (place, (crowd, column)) in crowds.iter().zip(&columns).enumerate() {
            says.push_str(&format!("\n{}: {}", crowd.label, super::words::count(column[bin], "VM")));
            if column[bin] > 0 {
                let left = from + 0.5 + room * place as f64;
                let top = plot.y.at(column[bin] as f64);
                plot.rect(&format!("bar {}", crowd.class), (left, top), (left + room, plot.floor()));
            }
        }
        plot.slice(from, to, &says);
    }
    plot.finish()
}
