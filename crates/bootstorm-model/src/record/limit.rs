//! Numbers or shares of VMs: limits on failures, and sizes of storms.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A number of failed VMs, or a share of the participants
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureLimit {
    /// Number of VMs.
    Count(u32),
    /// Share in hundredths of a percent.
    Share(u32),
}

impl FailureLimit {
    /// Whether this many failures among this many participants reach the limit.
    pub fn is_reached(self, failed: usize, participants: usize) -> bool {
        match self {
            Self::Count(limit) => failed >= limit as usize,
            Self::Share(limit) => failed > 0 && failed * 10_000 >= participants * limit as usize,
        }
    }
}

impl fmt::Display for FailureLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Share(share) => write!(f, "{}%", f64::from(*share) / 100.0),
        }
    }
}

impl FromStr for FailureLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match read(text)? {
            Amount::Vms(count) => Ok(Self::Count(count)),
            Amount::Hundredths(share) => Ok(Self::Share(share)),
        }
    }
}

/// A parsed number of VMs or percentage
enum Amount {
    /// From 1.
    Vms(u32),
    /// From 1 to 10000.
    Hundredths(u32),
}

fn read(text: &str) -> Result<Amount, String> {
    let wrong = || {
        format!("`{text}` is not possible; write a number of VMs (5), or a share from 0.01% to 100% (2.5%)")
    };
    match text.trim().strip_suffix('%') {
        None => text.trim().parse().ok().filter(|count| *count > 0).map(Amount::Vms).ok_or_else(wrong),
        Some(percent) => {
            let percent: f64 = percent.trim().parse().map_err(|_| wrong())?;
            let hundredths = (percent * 100.0).round();
            let share = (1.0..=10_000.0).contains(&hundredths).then_some(hundredths as u32);
            share.map(Amount::Hundredths).ok_or_else(wrong)
        }
    }
}

/// How many of the available VMs take part in a storm: a number, or a share of them
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// Number of VMs.
    Vms(u32),
    /// Share in hundredths of a percent.
    Hundredths(u32),
}

impl Share {
    /// The number among this many VMs: rounded up, and never more than there are.
    pub fn of(self, vms: usize) -> usize {
        match self {
            Self::Vms(count) => vms.min(count as usize),
            Self::Hundredths(share) => (vms * share as usize).div_ceil(10_000).min(vms),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vms(count) => write!(f, "{count}"),
            Self::Hundredths(share) => write!(f, "{}%", f64::from(*share) / 100.0),
        }
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match read(text)? {
            Amount::Vms(count) => Ok(Self::Vms(count)),
            Amount::Hundredths(share) => Ok(Self::Hundredths(share)),
        }
    }
}

impl Serialize for Share {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for FailureLimit {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FailureLimit {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_as_they_are_written() {
        for text in ["5", "1", "10%", "2.5%", "0.01%", "100%"] {
            let limit: FailureLimit = text.parse().unwrap();
            assert_eq!(limit.to_string(), text);
        }
        for text in ["", "0", "-1", "0%", "101%", "x", "5 %%", "nan%", "1.5"] {
            assert!(text.parse::<FailureLimit>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_share_is_rounded_up_and_never_more_than_there_is() {
        let of = |share: &str, vms| share.parse::<Share>().unwrap().of(vms);
        assert_eq!(
            (of("25%", 10), of("25%", 8), of("0.01%", 3), of("100%", 7), of("50%", 0)),
            (3, 2, 1, 7, 0)
        );
        assert_eq!((of("4", 10), of("4", 3)), (4, 3));
        for text in ["5", "25%", "2.5%"] {
            assert_eq!(text.parse::<Share>().unwrap().to_string(), text);
        }
        assert!("0%".parse::<Share>().is_err() && "half".parse::<Share>().is_err());
    }

    #[test]
    fn a_limit_is_reached_by_as_many_as_it_says() {
        let reached = |limit: &str, failed, of| limit.parse::<FailureLimit>().unwrap().is_reached(failed, of);
        assert!(!reached("3", 2, 10) && reached("3", 3, 10));
        assert!(!reached("10%", 1, 11) && reached("10%", 1, 10) && reached("10%", 2, 20));
        assert!(!reached("0.01%", 0, 0) && reached("100%", 7, 7));
    }
}
