//! Observations and their times: clocks, milestones, and one timeline per VM.
//!
//! Pure: nothing here waits, prints or talks to a cluster. Figures derived from observations are in [`crate::stats`].

pub mod clock;
pub mod delays;
pub mod facts;
pub mod findings;
pub mod fold;
pub mod launcher;
pub mod migration;
pub mod milestone;
pub mod notice;
pub mod timeline;
pub mod volume;

pub use clock::{Clock, Offset};
pub use delays::Delays;
pub use facts::{LauncherState, MigrationFacts, MigrationPhase, Move, VolumeKind, Warning};
pub use findings::Findings;
pub use fold::{Change, Fold, Instance, InstancePhase, Passed, Receipt};
pub use launcher::{Launcher, LauncherFold};
pub use migration::{Migration, MigrationFold};
pub use milestone::Milestone;
pub use notice::{Notice, NoticeKind};
pub use timeline::{Moment, Outcome, Source, Timeline};
pub use volume::{Volume, VolumeFold};
