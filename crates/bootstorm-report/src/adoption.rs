//! VMs that a run would adopt, shown before it does.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Serialize;

use super::color::Tone;
use super::people::terminal::{Column, Grid};
use super::{Layout, printable};

/// VMs of each kind listed individually, unless all are requested.
const SHOWN: usize = 20;

/// VMs that would be adopted, and those that would not
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Adoption {
    /// Selection of the VMs.
    pub selection: String,
    /// VMs to adopt: they would be stopped and started again.
    pub adopted: Vec<AdoptionRow>,
    /// VMs that are left alone.
    pub excluded: Vec<AdoptionRow>,
}

/// One selected VM
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AdoptionRow {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Run strategy; absent if the VM does not exist.
    pub run_strategy: Option<String>,
    /// State, from its status.
    pub power: String,
    /// Node on which it runs.
    pub node: Option<String>,
    /// Operating system, as far as its guest agent reports it.
    pub guest_os: Option<String>,
    /// Tool or owner that keeps it in a state described elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_by: Option<String>,
    /// Reaction of that keeper to a stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// Reason why it is left alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Adoption {
    /// Names of the VMs to adopt, in kubectl's form.
    pub fn names(&self) -> String {
        self.adopted.iter().map(|row| format!("virtualmachine/{}\n", printable(&row.name))).collect()
    }

    /// The lists as text for a terminal; long ones are cut unless the layout is wide.
    pub fn table(&self, layout: &Layout) -> String {
        let mut text = String::new();
        for (title, rows, last) in
            [("to be adopted", &self.adopted, "GUEST OS"), ("left alone", &self.excluded, "REASON")]
        {
            if rows.is_empty() {
                continue;
            }
            let plural = if rows.len() == 1 { "VM" } else { "VMs" };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{} {plural} {title}", rows.len());
            let mut columns: Vec<Column> =
                ["NAMESPACE", "NAME", "STRATEGY", "STATE", "NODE", last].map(Column::words).into();
            let has_keepers = rows.iter().any(|row| row.reason.is_none() && row.kept_by.is_some());
            columns.extend(has_keepers.then(|| Column::words("KEPT BY")));
            let mut grid = Grid::new(columns);
            let shown = if layout.wide { rows.len() } else { SHOWN };
            for row in rows.iter().take(shown) {
                let or_dash = |text: Option<&String>| text.cloned().unwrap_or_else(|| "-".into());
                let power = Some(&row.power).filter(|power| !power.is_empty());
                let mut cells = vec![
                    row.namespace.clone(),
                    row.name.clone(),
                    or_dash(row.run_strategy.as_ref()),
                    or_dash(power),
                    or_dash(row.node.as_ref()),
                    or_dash(row.reason.as_ref().or(row.guest_os.as_ref())),
                ];
                cells.extend(has_keepers.then(|| or_dash(row.kept_by.as_ref())));
                grid.push(row.reason.as_ref().or(row.warning.as_ref()).map(|_| Tone::Fair), cells);
            }
            let (header, lines) = grid.lines(layout.headers, layout.paint);
            let header = header.map(|header| layout.paint.apply(Tone::Heading, &header));
            text.extend(header.into_iter().chain(lines).map(|line| line + "\n"));
            if rows.len() > shown {
                let _ = writeln!(text, "and {} more; all of them with -o wide", rows.len() - shown);
            }
            let warnings =
                rows.iter().filter(|row| row.reason.is_none()).filter_map(|row| row.warning.as_ref());
            for warning in warnings.collect::<BTreeSet<_>>() {
                let _ = writeln!(text, "{}", printable(warning));
            }
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Paint;

    fn layout(wide: bool) -> Layout {
        Layout { width: 100, cut: true, wide, title: true, headers: true, paint: Paint::Plain }
    }

    #[test]
    fn long_lists_are_cut_and_reasons_are_shown() {
        let row = |n: usize, reason: Option<&str>| AdoptionRow {
            namespace: "shop".into(),
            name: format!("web-{n}"),
            run_strategy: Some("Always".into()),
            power: "Running".into(),
            reason: reason.map(str::to_owned),
            ..AdoptionRow::default()
        };
        let adoption = Adoption {
            selection: "x".into(),
            adopted: (1..=30).map(|n| row(n, None)).collect(),
            excluded: vec![row(31, Some("it is paused"))],
        };
        let text = adoption.table(&layout(false));
        assert!(text.contains("30 VMs to be adopted\nNAMESPACE"), "{text}");
        assert!(text.contains("web-20") && !text.contains("web-21"), "{text}");
        assert!(text.contains("and 10 more; all of them with -o wide"), "{text}");
        assert!(text.contains("1 VM left alone") && text.contains("it is paused"), "{text}");
        assert!(adoption.table(&layout(true)).contains("web-30"));
        assert!(!text.contains("KEPT BY"), "{text}");
    }

    #[test]
    fn what_a_keeper_would_do_is_told_once() {
        let row = |name: &str, keeper: Option<&str>| AdoptionRow {
            name: name.into(),
            guest_os: Some("Fedora".into()),
            kept_by: keeper.map(str::to_owned),
            warning: keeper.map(|keeper| format!("{keeper}: it starts the VM again")),
            ..AdoptionRow::default()
        };
        let adopted = vec![row("a", Some("Flux")), row("b", None), row("c", Some("Flux"))];
        let text = Adoption { adopted, ..Adoption::default() }.table(&layout(false));
        assert!(text.contains("KEPT BY") && text.contains("Fedora     Flux"), "{text}");
        assert_eq!(text.matches("Flux: it starts the VM again").count(), 1, "{text}");
    }
}
