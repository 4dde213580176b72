//! Source of the disk in the built-in manifest.

use serde_json::{Value, json};

use super::{Plan, Template, TemplateSource, secrets};

/// Namespace in which `OpenShift` and the guide keep golden images.
pub const IMAGES_NAMESPACE: &str = "openshift-virtualization-os-images";
/// The golden image of the guide.
pub const DEFAULT_IMAGE: &str = "rhel9";
/// Container disk used if there are no golden images.
pub const CONTAINER_DISK: &str = "quay.io/containerdisks/fedora:41";
/// Default size of a disk, as in the guide.
pub const DISK_SIZE: &str = "30Gi";
/// Maximum number of claims in a pool.
const MOST_CLAIMS: u32 = 10_000;
/// Syntax of `--source`.
const GRAMMAR: &str = "write it as datasource:NAMESPACE/NAME, pvc:NAMESPACE/NAME, snapshot:NAMESPACE/NAME, \
    registry:docker://IMAGE, http:URL, containerdisk:IMAGE or blank";

/// A source as the user wrote it, with parts that may be passwords kept separately
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedSource {
    /// Source without secrets.
    pub shown: TemplateSource,
    /// Manifest of its VMs.
    pub template_url: Option<String>,
}

/// Reads a source: `datasource:NAMESPACE/NAME`, `containerdisk:IMAGE`, …
///
/// Fails with a sentence that states the syntax.
pub fn parse(text: &str) -> Result<NamedSource, String> {
    let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
    let mut template_url = None;
    let shown = match (kind, rest) {
        ("blank", "") => TemplateSource::Blank,
        (_, "") => return Err(GRAMMAR.into()),
        ("containerdisk", image) => TemplateSource::ContainerDisk { image: word(image)? },
        ("datasource", place) => {
            let (namespace, name) = place_of(place, Some(IMAGES_NAMESPACE))?;
            TemplateSource::DataSource { namespace, name }
        }
        ("snapshot", place) => {
            let (namespace, name) = place_of(place, None)?;
            TemplateSource::Snapshot { namespace, name }
        }
        ("pvc", place) => {
            let (namespace, name) = place.split_once('/').ok_or(GRAMMAR)?;
            check_name(namespace)?;
            pool(name)?.iter().try_for_each(|name| check_name(name))?;
            TemplateSource::Pvc { namespace: namespace.into(), name: name.into() }
        }
        ("registry", image) => {
            let image = word(image)?;
            let url = if image.contains("://") { image } else { format!("docker://{image}") };
            if !["docker://", "oci-archive://"].iter().any(|scheme| url.starts_with(scheme)) {
                return Err("a registry is written docker://REGISTRY/IMAGE:TAG".into());
            }
            template_url = Some(url.clone());
            TemplateSource::Registry { url: secrets::hide_url(&url) }
        }
        ("http" | "https", rest) => {
            // Both `http:https://host/disk` and `https://host/disk` are accepted.
            let url = if rest.starts_with("//") { text.to_owned() } else { rest.to_owned() };
            let url = word(&url)?;
            let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
            if host.is_none_or(|host| host.is_empty() || host.starts_with('/')) {
                return Err("a URL begins with https:// or http://, and names a host".into());
            }
            template_url = Some(url.clone());
            TemplateSource::Http { url: secrets::hide_url(&url) }
        }
        _ => return Err(GRAMMAR.into()),
    };
    Ok(NamedSource { shown, template_url })
}

fn word(text: &str) -> Result<String, String> {
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("it must not contain spaces".into());
    }
    Ok(text.to_owned())
}

fn place_of(place: &str, home: Option<&str>) -> Result<(String, String), String> {
    let (namespace, name) = match (place.split_once('/'), home) {
        (Some(both), _) => both,
        (None, Some(home)) => (home, place),
        (None, None) => return Err(GRAMMAR.into()),
    };
    check_name(namespace)?;
    check_name(name)?;
    Ok((namespace.into(), name.into()))
}

/// Checks a name; names become paths, so only the characters of a name are allowed.
fn check_name(name: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    let ends = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let good = name.len() <= 253 && name.chars().all(fits) && name.starts_with(ends) && name.ends_with(ends);
    if good { Ok(()) } else { Err(format!("`{}` is not the name of an object", name.escape_debug())) }
}

/// Expands a range in a claim's name: `golden-{1..3}` becomes three, `golden-{01..10}` keeps its zeros.
pub fn pool(name: &str) -> Result<Vec<String>, String> {
    let Some((before, rest)) = name.split_once('{') else { return Ok(vec![name.to_owned()]) };
    let wrong = || "a pool is written NAME-{1..10}".to_owned();
    let (range, after) = rest.split_once('}').ok_or_else(wrong)?;
    let (first, last) = range.split_once("..").ok_or_else(wrong)?;
    let number = |text: &str| {
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| text.parse::<u32>().ok()).flatten().ok_or_else(wrong)
    };
    let (low, high) = (number(first)?, number(last)?);
    if low > high {
        return Err(format!("the pool {{{range}}} is empty: {low} is greater than {high}"));
    }
    if high - low >= MOST_CLAIMS {
        return Err(format!("a pool has at most {MOST_CLAIMS} claims"));
    }
    let width = if first.starts_with('0') { first.len() } else { 0 };
    Ok((low..=high).map(|number| format!("{before}{number:0width$}{after}")).collect())
}

impl TemplateSource {
    /// The golden image of the guide.
    pub fn golden() -> Self {
        Self::DataSource { namespace: IMAGES_NAMESPACE.into(), name: DEFAULT_IMAGE.into() }
    }

    /// Claims from which disks are cloned in turn; empty unless there are several.
    pub fn pool(&self) -> Vec<String> {
        match self {
            Self::Pvc { name, .. } => pool(name).ok().filter(|all| all.len() > 1).unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    /// Whether every VM has a disk of its own that has to be created first.
    pub fn has_volume(&self) -> bool {
        !matches!(
            self,
            Self::ContainerDisk { .. } | Self::File { .. } | Self::Adopted { .. } | Self::Observed { .. }
        )
    }

    /// The built-in manifest for this source; `None` for a manifest from a file.
    ///
    /// `url` replaces a URL that is stored without its password.
    pub fn built_in(&self, url: Option<&str>) -> Option<Template> {
        let shown = |known: &String| url.unwrap_or(known).to_owned();
        let filled = match self {
            Self::File { .. } | Self::Adopted { .. } | Self::Observed { .. } => return None,
            Self::ContainerDisk { image } => return Some(Template::container_disk(image)),
            Self::DataSource { namespace, name } => {
                json!({"sourceRef": {"kind": "DataSource", "namespace": namespace, "name": name}})
            }
            Self::Pvc { namespace, name } => {
                let first = pool(name).ok()?.into_iter().next()?;
                json!({"source": {"pvc": {"namespace": namespace, "name": first}}})
            }
            Self::Snapshot { namespace, name } => {
                json!({"source": {"snapshot": {"namespace": namespace, "name": name}}})
            }
            Self::Registry { url } => json!({"source": {"registry": {"url": shown(url)}}}),
            Self::Http { url } => json!({"source": {"http": {"url": shown(url)}}}),
            Self::Blank => json!({"source": {"blank": {}}}),
        };
        Some(Template { pool: self.pool(), ..with_volume(filled) })
    }
}

impl Plan {
    /// The manifest that this plan alone determines; `None` if it came from a file or holds secrets.
    pub fn built_in(&self) -> Option<Template> {
        if self.sealed_digest().is_some() {
            return None;
        }
        let mut template = self.template.built_in(None)?;
        // What setup could apply can be applied again; a hand-written plan may contain anything.
        self.overrides.apply(&mut template).ok()?;
        Some(template)
    }
}

/// The built-in manifest with a `DataVolume` as its disk: one vCPU and 2 GiB, as in the guide.
fn with_volume(filled: Value) -> Template {
    let mut template = Template::container_disk("");
    let vm = &mut template.manifest;
    // The VM's own name replaces this one, in the name of the disk too.
    vm["metadata"]["name"] = json!("vm");
    let mut spec = filled;
    spec["storage"] = json!({"resources": {"requests": {"storage": DISK_SIZE}}});
    vm["spec"]["dataVolumeTemplates"] = json!([{"metadata": {"name": "vm-root"}, "spec": spec}]);
    vm["spec"]["template"]["spec"]["volumes"] = json!([{"name": "root", "dataVolume": {"name": "vm-root"}}]);
    vm["spec"]["template"]["spec"]["domain"]["memory"]["guest"] = json!("2Gi");
    template
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Target;
    use crate::plan::manifest::Place;

    fn shown(text: &str) -> TemplateSource {
        parse(text).unwrap().shown
    }

    #[test]
    fn sources_are_read_as_they_are_written() {
        assert_eq!(shown("datasource:rhel9"), TemplateSource::golden());
        for text in [
            "datasource:a/b",
            "pvc:a/b-{1..3}",
            "snapshot:a/b",
            "blank",
            "containerdisk:x/y:1",
            "registry:x/y",
        ] {
            assert_eq!(shown(text).flag(), "--source");
        }
        assert_eq!(shown("registry:q.io/a:1"), TemplateSource::Registry { url: "docker://q.io/a:1".into() });
        for text in ["http:https://h/d.qcow2", "https://h/d.qcow2"] {
            assert_eq!(shown(text), TemplateSource::Http { url: "https://h/d.qcow2".into() });
        }
        for text in [
            "",
            "rhel9",
            "blank:x",
            "pvc:b",
            "snapshot:b",
            "pvc:a/b-{3..1}",
            "pvc:a/b-{x}",
            "pvc:../b",
            "datasource:a/../b",
            "http:ftp://h/x",
            "https:///x",
            "containerdisk:a b",
            "registry:ftp://x",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_in_the_manifest_only() {
        let source = parse("http:https://me:secret@h/d?sig=abc").unwrap();
        assert_eq!(source.shown.to_string(), "https://(redacted)@h/d?(redacted)");
        let template = source.shown.built_in(source.template_url.as_deref()).unwrap();
        assert!(template.manifest.to_string().contains("https://me:secret@h/d?sig=abc"));
    }

    #[test]
    fn a_pool_goes_round() {
        assert_eq!(pool("g-{08..10}").unwrap(), ["g-08", "g-09", "g-10"]);
        let template = shown("pvc:gold/g-{1..3}").built_in(None).unwrap();
        let of = |position| {
            let vm = template.render_at(
                Place { position, ..Place::default() },
                &Target { namespace: "p-1".into(), name: "box".into() },
                &vec![],
                "Always",
            );
            let volume = &vm["spec"]["dataVolumeTemplates"][0];
            assert_eq!(volume["metadata"]["name"], "box-root");
            assert_eq!(vm["spec"]["template"]["spec"]["volumes"][0]["dataVolume"]["name"], "box-root");
            volume["spec"]["source"]["pvc"]["name"].as_str().unwrap().to_owned()
        };
        assert_eq!([0, 1, 2, 3, 4].map(of), ["g-1", "g-2", "g-3", "g-1", "g-2"]);
    }
}
