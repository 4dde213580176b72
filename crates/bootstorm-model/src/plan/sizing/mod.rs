//! Resources of a VM, and whether nodes, quotas and limit ranges have room for them.

pub mod limits;
pub mod needs;
pub mod node;
pub mod overhead;
pub mod placement;
pub mod pod;
pub mod quantity;
pub mod quota;
pub mod room;
pub mod settings;
pub mod topology;

pub use limits::{Limit, LimitRange};
pub use needs::Needs;
pub use node::{Node, Obstacle, Taint};
pub use placement::Placement;
pub use quantity::{Amounts, Quantity};
pub use quota::Quota;
pub use room::Room;
pub use settings::{Container, Settings};
