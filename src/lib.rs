//! Boot storms on `KubeVirt`: create, stop, start all at once, and time every VM.

pub mod observe;
pub mod plan;
pub mod record;
pub mod report;
pub mod stats;
