//! Flags that set when and in which order requests are sent.

use clap::Args;

use bootstorm_engine::runs::settings::OrderChoice;
use bootstorm_model::plan::Shape;

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
    pub order: Option<OrderChoice>,
}

impl ShapeArgs {
    /// The requested shape.
    pub(super) fn shape(&self) -> Option<Shape> {
        self.wave.or(self.ramp).or(self.rate)
    }

    /// Whether requests are sent as fast as possible.
    pub fn is_all_at_once(&self) -> bool {
        self.shape().is_none()
    }

    /// The flags as typed, for a hint.
    pub fn typed(&self) -> String {
        let shape = self.shape().map_or_else(String::new, |shape| format!(" --{shape}"));
        let order = match self.order {
            None => String::new(),
            Some(OrderChoice::AnyRandom) => " --order random".to_owned(),
            Some(OrderChoice::Given(order)) => format!(" --order {order}"),
        };
        shape + &order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_repeated_as_they_were_typed() {
        let args = ShapeArgs {
            wave: Shape::wave_of("5/ready").ok(),
            order: Some(OrderChoice::AnyRandom),
            ..ShapeArgs::default()
        };
        assert_eq!(args.typed(), " --wave 5/ready --order random");
        assert_eq!(ShapeArgs::default().typed(), "");
    }
}
