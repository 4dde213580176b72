//! The VM manifest: the built-in one or the user's, and what it becomes for one target.

use serde::{Deserialize, Serialize};

/// Where the VM manifest comes from
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum TemplateSource {
    /// The built-in manifest, booting a container disk.
    ContainerDisk {
        /// Image of the container disk.
        image: String,
    },
    /// A manifest of the user's. Its text is kept in a Secret, because it may hold passwords.
    File {
        /// Name of the file, for people.
        name: String,
        /// SHA-256 of the text, lower-case hex.
        sha256: String,
    },
}

/// A VM manifest, checked, ready to be rendered for each target
#[derive(Debug, Clone, PartialEq)]
pub struct Template;
