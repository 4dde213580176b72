//! Shape of a launch: all requests at once, in waves, or evenly over time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::duration;

/// When the requests of a phase are sent
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Shape {
    /// In waves of this many VMs at a fixed interval: `wave 50/10s`.
    Wave {
        /// VMs in a wave.
        vms: u32,
        /// Milliseconds from the beginning of one wave to the next.
        every_millis: u64,
    },
    /// In waves of this many VMs, each sent when every VM of the previous one reached its goal or failed: `wave
    /// 50/ready`.
    WaveReady {
        /// VMs in a wave.
        vms: u32,
    },
    /// One by one, this many within a time: `ramp 100/60s`. Further VMs continue at the same pace.
    Ramp {
        /// VMs within the time.
        vms: u32,
        /// The time in milliseconds.
        over_millis: u64,
    },
    /// One by one, this many per unit of time, usually a second: `rate 20/s`.
    Rate {
        /// VMs within the time.
        vms: u32,
        /// The time in milliseconds.
        over_millis: u64,
    },
}

/// When a VM's request may be sent
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// This long after the first one.
    After(Duration),
    /// When every wave before this one has ended; the first wave is 0.
    Wave(u32),
}

impl Shape {
    /// When the request at a place in the queue may be sent; the first place is 0.
    pub fn due(self, place: u32) -> Due {
        match self {
            Self::Wave { vms, every_millis } => {
                let wave = u64::from(place / vms.max(1));
                Due::After(Duration::from_millis(wave.saturating_mul(every_millis)))
            }
            Self::WaveReady { vms } => Due::Wave(place / vms.max(1)),
            Self::Ramp { vms, over_millis } | Self::Rate { vms, over_millis } => {
                // Whole numbers from the beginning: a fractional pace does not drift.
                let nanos = u128::from(place) * u128::from(over_millis) * 1_000_000 / u128::from(vms.max(1));
                Due::After(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
            }
        }
    }

    /// Wave of a place in the queue, from 0; `None` for shapes without waves.
    pub fn wave(self, place: u32) -> Option<u32> {
        match self {
            Self::Wave { vms, .. } | Self::WaveReady { vms } => Some(place / vms.max(1)),
            Self::Ramp { .. } | Self::Rate { .. } => None,
        }
    }

    /// Reads the value of `--wave`: `50/10s` or `50/ready`.
    pub fn wave_of(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a wave; write 50/10s or 50/ready");
        let (vms, then) = text.split_once('/').ok_or_else(wrong)?;
        let vms = count(vms).ok_or_else(wrong)?;
        match then.trim() {
            "ready" => Ok(Self::WaveReady { vms }),
            every => Ok(Self::Wave { vms, every_millis: millis(every).ok_or_else(wrong)? }),
        }
    }

    /// Reads the value of `--ramp`: `100/60s`.
    pub fn ramp_of(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a ramp; write 100/60s for 100 VMs over 60 seconds");
        let (vms, over) = text.split_once('/').ok_or_else(wrong)?;
        let (vms, over) = count(vms).zip(millis(over.trim())).ok_or_else(wrong)?;
        Ok(Self::Ramp { vms, over_millis: over })
    }

    /// Reads the value of `--rate`: `20/s`, `90/m`, `1/2s`.
    pub fn rate_of(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a rate; write 20/s or 90/m");
        let (vms, over) = text.split_once('/').ok_or_else(wrong)?;
        let over = match over.trim() {
            "s" => Some(1_000),
            "m" => Some(60_000),
            "h" => Some(3_600_000),
            over => millis(over),
        };
        let (vms, over) = count(vms).zip(over).ok_or_else(wrong)?;
        Ok(Self::Rate { vms, over_millis: over })
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wave { vms, every_millis } => write!(f, "wave {vms}/{}", short(*every_millis)),
            Self::WaveReady { vms } => write!(f, "wave {vms}/ready"),
            Self::Ramp { vms, over_millis } => write!(f, "ramp {vms}/{}", short(*over_millis)),
            Self::Rate { vms, over_millis: 1_000 } => write!(f, "rate {vms}/s"),
            Self::Rate { vms, over_millis: 60_000 } => write!(f, "rate {vms}/m"),
            Self::Rate { vms, over_millis } => write!(f, "rate {vms}/{}", short(*over_millis)),
        }
    }
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(' ') {
            Some(("wave", rest)) => Self::wave_of(rest),
            Some(("ramp", rest)) => Self::ramp_of(rest),
            Some(("rate", rest)) => Self::rate_of(rest),
            _ => Err(format!("`{text}` is not a shape")),
        }
    }
}

fn count(text: &str) -> Option<u32> {
    text.trim().parse().ok().filter(|count| *count > 0)
}

/// A time of at least a millisecond and at most a year.
fn millis(text: &str) -> Option<u64> {
    const LONGEST: u64 = 8760 * 3_600_000;
    let millis = u64::try_from(duration::parse(text).ok()?.as_millis()).ok()?;
    (1..=LONGEST).contains(&millis).then_some(millis)
}

/// `10s`, `1500ms`.
fn short(millis: u64) -> String {
    if millis.is_multiple_of(1_000) { format!("{}s", millis / 1_000) } else { format!("{millis}ms") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Milliseconds.
    fn after(shape: &str, place: u32) -> u128 {
        match shape.parse::<Shape>().unwrap().due(place) {
            Due::After(time) => time.as_millis(),
            Due::Wave(wave) => panic!("wave {wave}"),
        }
    }

    #[test]
    fn shapes_are_read_as_they_are_written() {
        for text in [
            "wave 50/10s",
            "wave 5/1500ms",
            "wave 50/ready",
            "ramp 100/60s",
            "rate 20/s",
            "rate 90/m",
            "rate 1/2s",
        ] {
            let shape: Shape = text.parse().unwrap();
            assert_eq!(shape.to_string(), text);
            let stored = serde_json::to_string(&shape).unwrap();
            assert_eq!(serde_json::from_str::<Shape>(&stored).unwrap(), shape, "{stored}");
        }
        for wrong in [
            "",
            "wave",
            "wave 50",
            "wave 0/10s",
            "wave 5/0s",
            "wave 5/soon",
            "wave -5/1s",
            "ramp 100",
            "ramp 100/ready",
            "rate 20",
            "rate 0/s",
            "rate 20/x",
            "rate 1.5/s",
            "rate 1/99999h",
            "wave 5/18446744073709551615",
            "storm 5/s",
        ] {
            assert!(wrong.parse::<Shape>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn waves_leave_together_and_ramps_one_by_one() {
        assert_eq!([0, 49, 50, 149].map(|place| after("wave 50/10s", place)), [0, 0, 10_000, 20_000]);
        assert_eq!([0, 1, 99, 199].map(|place| after("ramp 100/60s", place)), [0, 600, 59_400, 119_400]);
        assert_eq!([0, 1, 20, 50_000].map(|place| after("rate 20/s", place)), [0, 50, 1_000, 2_500_000]);
        let ready: Shape = "wave 4/ready".parse().unwrap();
        assert_eq!([0, 3, 4, 8].map(|place| ready.due(place)), [0, 0, 1, 2].map(Due::Wave));
        assert_eq!(ready.wave(7), Some(1));
    }

    #[test]
    fn a_pace_that_is_no_whole_number_does_not_drift() {
        assert_eq!(after("rate 7/s", 7 * 7_000), 7_000_000);
        assert_eq!(after("ramp 3/1s", 30_000), 10_000_000);
    }

    #[test]
    fn a_damaged_shape_divides_by_nothing() {
        for text in [
            r#"{"kind":"wave","vms":0,"every_millis":18446744073709551615}"#,
            r#"{"kind":"rate","vms":0,"over_millis":18446744073709551615}"#,
        ] {
            let shape: Shape = serde_json::from_str(text).unwrap();
            assert!(matches!(shape.due(u32::MAX), Due::After(_)));
        }
    }
}
