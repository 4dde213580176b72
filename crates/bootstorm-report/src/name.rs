//! Names: one VM per line, like `kubectl -o name`.
//!
//! kubectl prints `KIND.GROUP/NAME` without the namespace. A run has VMs of the same name in many namespaces, so the
//! namespace comes first: `boot-storm-test-1/virtualmachine.kubevirt.io/rhel-9-vm`.

use super::{Report, printable};

impl Report {
    /// One line per VM of the last phase; none before the first phase.
    pub fn names(&self) -> String {
        let rows = self.phases.last().map_or(&[][..], |phase| &phase.rows);
        let line = |row: &super::Row| {
            format!("{}/virtualmachine.kubevirt.io/{}\n", printable(&row.namespace), printable(&row.name))
        };
        rows.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::{Report, Selection, fixtures};

    #[test]
    fn one_line_per_vm_with_its_namespace() {
        let report = Report::of(&fixtures::small(), &Selection::default());
        let names = report.names();
        assert_eq!(names.lines().count(), 12);
        assert_eq!(names.lines().nth(1), Some("boot-storm-test-2/virtualmachine.kubevirt.io/rhel-9-vm"));
    }
}
