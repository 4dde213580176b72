//! Adopted VMs: their state before the run changed anything.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::prefix::dns_label_fault;
use super::{MOST_TARGETS, Target};

/// Maximum length of the name of a VM.
const LONGEST_NAME: usize = 253;

/// Whether a VM should run: exactly one of two fields of its spec
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Setting {
    /// `spec.runStrategy`.
    RunStrategy(String),
    /// `spec.running`, which is deprecated.
    Running(bool),
}

impl Setting {
    /// Path of the field, as a JSON patch names it.
    pub fn path(&self) -> &'static str {
        match self {
            Self::RunStrategy(_) => "/spec/runStrategy",
            Self::Running(_) => "/spec/running",
        }
    }

    /// The field's value.
    pub fn value(&self) -> Value {
        match self {
            Self::RunStrategy(strategy) => json!(strategy),
            Self::Running(running) => json!(running),
        }
    }

    /// The equivalent run strategy.
    pub fn strategy(&self) -> &str {
        match self {
            Self::RunStrategy(strategy) => strategy,
            Self::Running(true) => "Always",
            Self::Running(false) => "Halted",
        }
    }

    /// The same field, set to off.
    #[must_use]
    pub fn halted(&self) -> Self {
        match self {
            Self::RunStrategy(_) => Self::RunStrategy("Halted".into()),
            Self::Running(_) => Self::Running(false),
        }
    }

    /// The same field, set to always running.
    #[must_use]
    pub fn always(&self) -> Self {
        match self {
            Self::RunStrategy(_) => Self::RunStrategy("Always".into()),
            Self::Running(_) => Self::Running(true),
        }
    }
}

impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::RunStrategy(strategy) => f.pad(strategy),
            Self::Running(running) => f.pad(&format!("running: {running}")),
        }
    }
}

/// Method of switching the power of an adopted VM
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Switch {
    /// By its setting: one value stops it, the other starts it.
    Setting {
        /// Off.
        off: Setting,
        /// On.
        on: Setting,
    },
    /// By the start and stop subresources, which leave its setting alone.
    Subresource,
}

/// A VM that the run did not create, as it was when adopted
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adoptee {
    /// Namespace and name.
    #[serde(flatten)]
    pub target: Target,
    /// UID: a VM recreated under the same name is a different one.
    pub uid: String,
    /// Its power setting before the run.
    pub before: Setting,
    /// Whether it was running.
    pub on: bool,
}

impl Adoptee {
    /// Method of switching its power.
    ///
    /// The setting of a Manual VM says nothing about its power. Setting `RerunOnFailure` starts a VM, so a VM that was
    /// off with it must never be set to it.
    pub fn switch(&self) -> Switch {
        match (self.before.strategy(), self.on) {
            ("Manual", _) | ("RerunOnFailure", false) => Switch::Subresource,
            ("Halted", _) => Switch::Setting { off: self.before.clone(), on: self.before.always() },
            _ => Switch::Setting { off: self.before.halted(), on: self.before.clone() },
        }
    }

    /// Whether the subresources change its setting exactly as a patch would.
    pub fn may_use_subresource(&self) -> bool {
        matches!(self.before.strategy(), "Always" | "Halted")
    }
}

/// Validates a stored list; names become paths, so stored ones are checked too.
pub fn check(list: &[Adoptee]) -> Result<(), String> {
    if list.len() > MOST_TARGETS as usize {
        return Err(format!(
            "{} VMs are too many, at most {MOST_TARGETS} are possible in one run",
            list.len()
        ));
    }
    let mut seen = BTreeSet::new();
    for adoptee in list {
        check_target(&adoptee.target)?;
        if !seen.insert(&adoptee.target) {
            return Err(format!("{} is listed twice", adoptee.target));
        }
    }
    Ok(())
}

/// Fails with a sentence if no VM can have that name.
pub fn check_target(target: &Target) -> Result<(), String> {
    let is_inner =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    let is_outer = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let name = target.name.as_bytes();
    let is_name = name.len() <= LONGEST_NAME
        && name.iter().all(|byte| is_inner(*byte))
        && is_outer(name.first())
        && is_outer(name.last());
    if is_name && dns_label_fault(&target.namespace).is_none() {
        return Ok(());
    }
    let shown: String = target.to_string().escape_debug().take(120).collect();
    Err(format!("`{shown}` cannot be the namespace and name of a VM"))
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn adoptee(before: Setting, on: bool) -> Adoptee {
        let target = Target { namespace: "shop".into(), name: "web.1".into() };
        Adoptee { target, uid: "u".into(), before, on }
    }

    #[test]
    fn every_setting_is_switched_so_that_it_can_be_restored() {
        let strategy = |text: &str| Setting::RunStrategy(text.into());
        let by = |off, on| Switch::Setting { off, on };
        for (before, on, expected) in [
            (strategy("Always"), true, by(strategy("Halted"), strategy("Always"))),
            (strategy("Halted"), false, by(strategy("Halted"), strategy("Always"))),
            (strategy("RerunOnFailure"), true, by(strategy("Halted"), strategy("RerunOnFailure"))),
            (strategy("RerunOnFailure"), false, Switch::Subresource),
            (strategy("Manual"), true, Switch::Subresource),
            (strategy("Manual"), false, Switch::Subresource),
            (Setting::Running(true), true, by(Setting::Running(false), Setting::Running(true))),
            (Setting::Running(false), false, by(Setting::Running(false), Setting::Running(true))),
        ] {
            assert_eq!(adoptee(before.clone(), on).switch(), expected, "{before} {on}");
        }
    }

    #[test]
    fn it_is_stored_in_few_words_and_read_back() {
        let stored = serde_json::to_string(&adoptee(Setting::Running(true), true)).unwrap();
        assert_eq!(
            stored,
            r#"{"namespace":"shop","name":"web.1","uid":"u","before":{"running":true},"on":true}"#
        );
        let read: Adoptee = serde_json::from_str(&stored).unwrap();
        assert_eq!(read, adoptee(Setting::Running(true), true));
    }

    #[test]
    fn names_that_would_lead_elsewhere_are_refused() {
        let mut list = vec![adoptee(Setting::Running(true), true)];
        assert_eq!(check(&list), Ok(()));
        list.push(list[0].clone());
        assert_eq!(check(&list).unwrap_err(), "shop/web.1 is listed twice");
        for name in ["", "..", "a/b", "a?b", "A", "a\u{1b}[2J", ".a"] {
            list[1].target.name = name.into();
            assert!(check(&list).is_err(), "{name}");
        }
    }
}
