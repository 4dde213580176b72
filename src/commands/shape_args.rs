//! Flags that set when and in which order requests are sent.

use std::str::FromStr;

use clap::Args;

use bootstorm_model::failure::Failure;
use bootstorm_model::plan::{Order, Shape};
use bootstorm_model::record::{PhaseKind, PhaseSettings, RunRecord, lifecycle::Step};

/// An order as typed: `random` alone leaves the seed open
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderArg {
    /// Given order.
    Given(Order),
    /// Shuffled with any seed.
    AnyRandom,
}

impl FromStr for OrderArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "random" { Ok(Self::AnyRandom) } else { text.parse().map(Self::Given) }
    }
}

/// Flags that set when and in which order requests are sent
#[derive(Debug, Clone, Default, Args)]
pub struct ShapeArgs {
    /// Send in waves: 50/10s is 50 VMs every 10 s; 50/ready waits until each VM of a wave is up or has failed
    #[arg(long, value_name = "N/TIME|N/ready", value_parser = Shape::wave_of, conflicts_with_all = ["ramp", "rate"])]
    pub wave: Option<Shape>,
    /// Send one by one: 100/60s is 100 VMs evenly over 60 s; other numbers of VMs keep that pace
    #[arg(long, value_name = "N/TIME", value_parser = Shape::ramp_of, conflicts_with = "rate")]
    pub ramp: Option<Shape>,
    /// Send one by one at this rate per second (20/s) or minute (90/m)
    #[arg(long, value_name = "N/s", value_parser = Shape::rate_of)]
    pub rate: Option<Shape>,
    /// Order of the VMs: name, random (or random:SEED), or node (round-robin over their last nodes)
    #[arg(long, value_name = "ORDER")]
    pub order: Option<OrderArg>,
}

impl ShapeArgs {
    fn shape(&self) -> Option<Shape> {
        self.wave.or(self.ramp).or(self.rate)
    }

    /// Whether requests are sent as fast as possible.
    pub fn is_all_at_once(&self) -> bool {
        self.shape().is_none()
    }

    /// The shape and order of a phase.
    ///
    /// A phase continues as it was begun, and so does the series that it belongs to (`like` has its settings); a
    /// contradicting flag is a usage error.
    pub fn resolve(
        &self,
        record: &RunRecord,
        step: Step,
        like: Option<&PhaseSettings>,
    ) -> Result<(Option<Shape>, Order), Failure> {
        let begun = match step {
            Step::Continue(name) => record.phase(name).map(|phase| &phase.settings),
            Step::Begin(_) => like,
        };
        if let Some(begun) = begun {
            self.check_same(begun, step)?;
            return Ok((begun.shape, begun.order));
        }
        let order = match self.order {
            None => Order::Name,
            Some(OrderArg::Given(order)) => order,
            Some(OrderArg::AnyRandom) => Order::Random { seed: u64::from(rand::random::<u32>()) },
        };
        if order == Order::Node && step.name().kind == PhaseKind::Create {
            return Err(Failure::usage(
                "--order node: VMs that are not created yet have not run on any node",
            )
            .hint("use --order name or --order random"));
        }
        Ok((self.shape(), order))
    }

    fn check_same(&self, begun: &PhaseSettings, step: Step) -> Result<(), Failure> {
        let contradicts = |flag: &str, was: String| {
            Err(Failure::usage(format!("{flag} contradicts what {} is to be like: {was}", step.name()))
                .hint("leave the flag out, so that it goes on as it was begun"))
        };
        if let Some(shape) = self.shape().filter(|shape| Some(*shape) != begun.shape) {
            let was = begun.shape.map_or_else(|| "all at once".to_owned(), |shape| shape.to_string());
            return contradicts(&format!("--{shape}"), was);
        }
        let same = match (self.order, begun.order) {
            (None, _) | (Some(OrderArg::AnyRandom), Order::Random { .. }) => true,
            (Some(OrderArg::Given(order)), begun) => order == begun,
            (Some(OrderArg::AnyRandom), _) => false,
        };
        if same { Ok(()) } else { contradicts("--order", format!("order {}", begun.order)) }
    }

    /// The flags as typed, for a hint.
    pub fn typed(&self) -> String {
        let shape = self.shape().map_or_else(String::new, |shape| format!(" --{shape}"));
        let order = match self.order {
            None => String::new(),
            Some(OrderArg::AnyRandom) => " --order random".to_owned(),
            Some(OrderArg::Given(order)) => format!(" --order {order}"),
        };
        shape + &order
    }
}

/// A note about the shape of a phase of this many VMs.
pub fn note(shape: Option<Shape>, vms: usize) -> Option<String> {
    let Some(Shape::Ramp { vms: planned, over_millis }) = shape else { return None };
    let takes = vms as f64 * over_millis as f64 / 1e3 / f64::from(planned.max(1));
    (vms != planned as usize).then(|| {
        format!("the ramp is for {planned} VMs and there are {vms}: at the same pace, they take {takes:.1}s")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_for_another_number_of_vms_says_how_long_it_takes() {
        let ramp = Shape::ramp_of("100/60s").ok();
        assert_eq!(note(ramp, 100), None);
        assert_eq!(
            note(ramp, 150).unwrap(),
            "the ramp is for 100 VMs and there are 150: at the same pace, they take 90.0s"
        );
        assert_eq!(note(Shape::rate_of("20/s").ok(), 7), None);
    }

    #[test]
    fn flags_are_repeated_as_they_were_typed() {
        let args = ShapeArgs {
            wave: Shape::wave_of("5/ready").ok(),
            order: Some(OrderArg::AnyRandom),
            ..ShapeArgs::default()
        };
        assert_eq!(args.typed(), " --wave 5/ready --order random");
        assert_eq!(ShapeArgs::default().typed(), "");
    }
}
