//! Shares of VMs.

/// A share: a part of a total
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Share {
    /// Part.
    pub some: usize,
    /// Total.
    pub all: usize,
}

impl Share {
    /// Sum of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { some: self.some + other.some, all: self.all + other.all }
    }

    /// Value of the share; `None` if the total is zero.
    pub fn value(self) -> Option<f64> {
        (self.all > 0).then(|| self.some as f64 / self.all as f64)
    }
}
