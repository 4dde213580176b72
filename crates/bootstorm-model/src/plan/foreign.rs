//! Templates of other tools, recognised by their content, so that an error names the tool instead of a column.

use serde_json::Value;

use super::secrets;

/// A tool whose template a text may be
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// A Helm chart.
    Helm,
    /// Go templates, as in kube-burner.
    Go,
    /// Jinja, as in Ansible.
    Jinja,
    /// Variables of envsubst or Flux, or parameters of an `OpenShift` Template.
    Variables,
    /// ytt.
    Ytt,
}

impl Tool {
    /// Description of such a file.
    pub fn what(self) -> &'static str {
        match self {
            Self::Helm => "a template of Helm (`{{ .Values… }}`)",
            Self::Go => "a Go template (`{{ .… }}`), as in kube-burner",
            Self::Jinja => "a Jinja template (`{{ … }}`, `{% … %}`), as in Ansible",
            Self::Variables => {
                "a template with variables (`${…}`), as oc process, envsubst and Flux fill them"
            }
            Self::Ytt => "a template of ytt (`#@ …`)",
        }
    }

    /// How to render it.
    pub fn way(self) -> &'static str {
        match self {
            Self::Helm => "render it first: helm template RELEASE CHART --show-only templates/FILE > vm.yaml",
            Self::Go => {
                "render it first, or write placeholders in capitals, such as {{VM_MEMORY}}, and pass --set"
            }
            Self::Jinja => "render it first, for example: ansible -m template, or jinja2 FILE > vm.yaml",
            Self::Variables => "fill it first: oc process -f FILE > vm.yaml, or envsubst < FILE > vm.yaml",
            Self::Ytt => "render it first: ytt -f FILE > vm.yaml",
        }
    }
}

/// The tool whose syntax is in a text that is not YAML, and the line of its first use.
pub(super) fn in_text(text: &str) -> Option<(usize, Tool)> {
    let lines = || text.lines().enumerate().map(|(number, line)| (number + 1, line));
    let marked = lines().find_map(|(number, line)| Some((number, tool_of(line)?)))?;
    // Helm's templates are Go templates: any Helm-specific word decides.
    let is_helm = lines().any(|(_, line)| tool_of(line) == Some(Tool::Helm));
    Some(if is_helm && marked.1 != Tool::Ytt { (marked.0, Tool::Helm) } else { marked })
}

/// The tool whose syntax is in the values of a manifest, outside of guest data, and the line of its first use.
pub(super) fn in_manifest(manifest: &Value, text: &str) -> Option<(usize, Tool)> {
    fn look(value: &Value, found: &mut Option<String>) {
        match value {
            Value::String(text) if found.is_none() && tool_of(text).is_some() => *found = Some(text.clone()),
            Value::Array(items) => items.iter().for_each(|item| look(item, found)),
            Value::Object(map) => {
                // Commands of probes are shell, and annotations may hold anything.
                let others = ["annotations", "command", "args"];
                let looked_at = map.iter().filter(|(key, _)| !others.contains(&key.as_str()));
                for (key, value) in looked_at {
                    look(&Value::String(key.clone()), found);
                    look(value, found);
                }
            }
            _ => {}
        }
    }
    let mut found = None;
    // Scripts and Jinja in user data belong to the guest.
    look(&secrets::hide(manifest.clone()), &mut found);
    let found = found?;
    let tool = tool_of(&found)?;
    let first = found.lines().next().unwrap_or_default();
    let line = text.lines().position(|line| line.contains(first)).map_or(1, |at| at + 1);
    Some((line, if in_text(text).is_some_and(|(_, tool)| tool == Tool::Helm) { Tool::Helm } else { tool }))
}

fn tool_of(text: &str) -> Option<Tool> {
    if let Some(at) = text.find("{{")
        && !text[..at].ends_with('$')
    {
        let inside = text[at + 2..].trim_start_matches('-').trim_start();
        let helm =
            [".Values", ".Release", ".Chart", ".Capabilities", ".Files", ".Template", "include ", "tpl "];
        if helm.iter().any(|word| text.contains(word)) || inside.starts_with("/*") {
            return Some(Tool::Helm);
        }
        let go =
            ["if ", "range ", "with ", "end", "else", "define ", "template ", "printf ", "add ", "randAlpha"];
        if inside.starts_with('.')
            || inside.starts_with('$')
            || go.iter().any(|word| inside.starts_with(word))
        {
            return Some(Tool::Go);
        }
        return Some(Tool::Jinja);
    }
    if text.contains("{%") || text.contains("{#") && text.contains("#}") {
        return Some(Tool::Jinja);
    }
    if text.trim_start().starts_with("#@ ") {
        return Some(Tool::Ytt);
    }
    let name = text.split_once("${").map(|(_, rest)| rest.trim_start_matches('{'));
    let is_variable = |rest: &str| {
        rest.split_once('}')
            .is_some_and(|(name, _)| name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'))
    };
    name.is_some_and(is_variable).then_some(Tool::Variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_told_apart_by_their_marks() {
        for (text, tool) in [
            ("name: {{ .Values.name }}", Some(Tool::Helm)),
            ("name: {{ include \"x.fullname\" . }}", Some(Tool::Helm)),
            ("name: vm-{{.Iteration}}", Some(Tool::Go)),
            ("{{- if .x }}", Some(Tool::Go)),
            ("{% if kind == \"vm\" %}", Some(Tool::Jinja)),
            ("name: {{ vm_name }}", Some(Tool::Jinja)),
            ("name: ${NAME}", Some(Tool::Variables)),
            ("cores: ${{CORES}}", Some(Tool::Variables)),
            ("#@ load(\"@ytt:data\", \"data\")", Some(Tool::Ytt)),
            ("name: web-{i}", None),
            ("# a comment", None),
            ("price: $5 {a: b}", None),
        ] {
            assert_eq!(in_text(text).map(|(_, tool)| tool), tool, "{text}");
        }
        assert_eq!(in_text("a: 1\nb: {{ .x }}\nc: {{ .Values.y }}"), Some((2, Tool::Helm)));
    }

    #[test]
    fn what_guests_read_is_no_template_of_ours() {
        let text =
            "kind: VirtualMachine\nname: ${NAME}\nuserData: '## template: jinja {{ v1.name }} ${HOME}'\n";
        let manifest = crate::plan::yaml::read(text).unwrap().documents.remove(0);
        assert_eq!(in_manifest(&manifest, text), Some((2, Tool::Variables)));
        let plain = serde_json::json!({"userData": "{{ v1.name }} ${HOME}", "metadata": {"annotations": {"x": "${y}"}}, "exec": {"command": ["sh", "-c", "echo ${X}"]}});
        assert_eq!(in_manifest(&plain, ""), None);
    }
}
