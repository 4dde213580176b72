//! The client-side token bucket that limits the API calls of every Kubernetes controller.

use std::sync::Mutex;

use super::clock::SimClock;

/// A token bucket like client-go's: calls beyond the limit wait their turn, in order
///
/// Waiting calls are *reservations*: each takes its token at once and gets its due time, so thousands may wait without
/// waking one another.
#[derive(Debug)]
pub struct TokenBucket {
    clock: SimClock,
    limit: Mutex<Limit>,
}

impl TokenBucket {
    /// A bucket that refills with `qps` tokens per simulated second and holds up to `burst`.
    pub fn new(clock: SimClock, qps: f64, burst: f64) -> Self {
        Self { clock, limit: Mutex::new(Limit::new(qps, burst)) }
    }

    /// Waits for one token.
    pub async fn acquire(&self) {
        let due = self.reserve();
        self.clock.sleep_until(due).await;
    }

    /// Takes one token; returns the simulated instant at which it may be used.
    pub fn reserve(&self) -> f64 {
        let now = self.clock.now();
        super::lock(&self.limit).reserve(now)
    }
}

/// The arithmetic of a token bucket, without a clock.
#[derive(Debug)]
pub struct Limit {
    qps: f64,
    burst: f64,
    tokens: f64,
    last: f64,
}

impl Limit {
    /// A full bucket.
    pub fn new(qps: f64, burst: f64) -> Self {
        Self { qps: qps.max(1e-6), burst: burst.max(1.0), tokens: burst.max(1.0), last: 0.0 }
    }

    /// Takes a token at `now`; returns its due time: `now`, or later.
    pub fn reserve(&mut self, now: f64) -> f64 {
        self.tokens = (self.tokens + (now - self.last).max(0.0) * self.qps).min(self.burst);
        self.last = self.last.max(now);
        self.tokens -= 1.0;
        if self.tokens >= 0.0 { now } else { now - self.tokens / self.qps }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_burst_is_free_and_the_rest_comes_at_the_rate() {
        let mut limit = Limit::new(5.0, 10.0);
        let due: Vec<f64> = (0..15).map(|_| limit.reserve(0.0)).collect();
        assert!(due[..10].iter().all(|at| *at == 0.0));
        assert!((due[10] - 0.2).abs() < 1e-9 && (due[14] - 1.0).abs() < 1e-9);
        // After ten idle seconds the bucket is full again, but not overfull.
        assert!((0..10).all(|_| limit.reserve(20.0) <= 20.0));
        assert!(limit.reserve(20.0) > 20.0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_hundred_calls_at_five_a_second_take_eighteen_seconds() {
        let clock = SimClock::start(1.0);
        let bucket = TokenBucket::new(clock, 5.0, 10.0);
        for _ in 0..100 {
            bucket.acquire().await;
        }
        assert!((clock.now() - 18.0).abs() < 0.2, "{}", clock.now());
    }
}
