//! Tools that keep objects as a repository or a chart describes them, and their reaction to a stopped VM.

/// A tool that keeps an object in a state described elsewhere
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeper {
    /// Argo CD.
    ArgoCd,
    /// A Kustomization of Flux.
    FluxKustomize,
    /// A `HelmRelease` of Flux.
    FluxHelm,
    /// Fleet of Rancher.
    Fleet,
    /// Wrangler, which Rancher's tools use to apply objects.
    Wrangler,
    /// A chart installed with Helm.
    Helm,
}

/// Keys, or prefixes of keys, by which a tool recognises its own objects.
const KEYS: [(&str, Keeper); 7] = [
    ("argocd.argoproj.io/", Keeper::ArgoCd),
    ("kustomize.toolkit.fluxcd.io/", Keeper::FluxKustomize),
    ("helm.toolkit.fluxcd.io/", Keeper::FluxHelm),
    ("fleet.cattle.io/", Keeper::Fleet),
    ("objectset.rio.cattle.io/", Keeper::Wrangler),
    ("meta.helm.sh/", Keeper::Helm),
    ("helm.sh/chart", Keeper::Helm),
];
/// Among these, keys that only configure how their tool treats the object.
const NO_OWNERS: [&str; 5] = [
    "argocd.argoproj.io/sync-options",
    "argocd.argoproj.io/compare-options",
    "argocd.argoproj.io/sync-wave",
    "argocd.argoproj.io/hook",
    "helm.sh/chart",
];

impl Keeper {
    /// Recognises a keeper by the labels and annotations of an object.
    ///
    /// Flux and Fleet use Helm, so they are tried first.
    pub fn of<'a, Pairs>(labels: Pairs, annotations: Pairs) -> Option<Self>
    where
        Pairs: IntoIterator<Item = (&'a String, &'a String)> + Copy,
    {
        let keys = || labels.into_iter().chain(annotations).map(|(key, _)| key);
        let of_fleet = |value: &String| value.contains("fleet.cattle.io") || value.contains("fleet-agent");
        let by_fleet = annotations
            .into_iter()
            .any(|(key, value)| key.starts_with("objectset.rio.cattle.io/") && of_fleet(value));
        if by_fleet {
            return Some(Self::Fleet);
        }
        let is_owner = |key: &&String| !NO_OWNERS.contains(&key.as_str());
        let known = |prefix: &str| keys().filter(is_owner).any(|key| key.starts_with(prefix));
        if let Some((_, keeper)) = KEYS.iter().find(|(prefix, _)| known(prefix)) {
            return Some(*keeper);
        }
        let managed = labels.into_iter().find(|(key, _)| *key == "app.kubernetes.io/managed-by");
        let managed = managed.map(|(_, value)| value.to_lowercase());
        match managed.as_deref() {
            Some("helm") => Some(Self::Helm),
            Some("argocd" | "argo-cd") => Some(Self::ArgoCd),
            Some("flux") => Some(Self::FluxKustomize),
            Some("fleet") => Some(Self::Fleet),
            _ => None,
        }
    }

    /// Name for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::ArgoCd => "Argo CD",
            Self::FluxKustomize | Self::FluxHelm => "Flux",
            Self::Fleet => "Fleet",
            Self::Wrangler => "a Rancher controller",
            Self::Helm => "Helm",
        }
    }

    /// Its reaction when the VM is stopped, and how to prevent it.
    pub fn effect(self) -> &'static str {
        match self {
            Self::ArgoCd => {
                "Argo CD: with selfHeal it starts the VM again within seconds, else it is OutOfSync until the storm; \
                 pause auto-sync of the Application first"
            }
            Self::FluxKustomize => {
                "Flux: its next reconciliation starts the VM again; first: flux suspend kustomization"
            }
            Self::FluxHelm => {
                "Flux: with drift detection it starts the VM again, else an upgrade does; first: flux suspend helmrelease"
            }
            Self::Fleet => {
                "Fleet: with correctDrift it starts the VM again, else the bundle is Modified until the storm; \
                 pause the bundle first"
            }
            Self::Wrangler => "a Rancher controller: it may start the VM again when it applies its objects",
            Self::Helm => {
                "Helm: nothing heals a stop, but an upgrade of the release starts the VM; run none meanwhile"
            }
        }
    }
}

/// Whether a label or annotation marks an object as belonging to such a tool; a copy of the object does not belong to
/// it.
pub fn is_of_keeper(key: &str) -> bool {
    KEYS.iter().any(|(prefix, _)| key.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn each_tool_is_recognised_by_what_it_writes() {
        let by_label = |key: &str, value: &str| Keeper::of(&map(&[(key, value)]), &map(&[]));
        let by_annotation = |key: &str, value: &str| Keeper::of(&map(&[]), &map(&[(key, value)]));
        assert_eq!(by_label("argocd.argoproj.io/instance", "shop"), Some(Keeper::ArgoCd));
        assert_eq!(
            by_annotation("argocd.argoproj.io/tracking-id", "shop:kubevirt.io/VirtualMachine:shop/web"),
            Some(Keeper::ArgoCd)
        );
        assert_eq!(by_label("kustomize.toolkit.fluxcd.io/name", "shop"), Some(Keeper::FluxKustomize));
        assert_eq!(by_label("helm.toolkit.fluxcd.io/name", "shop"), Some(Keeper::FluxHelm));
        assert_eq!(by_annotation("meta.helm.sh/release-name", "shop"), Some(Keeper::Helm));
        assert_eq!(by_label("app.kubernetes.io/managed-by", "Helm"), Some(Keeper::Helm));
        assert_eq!(by_label("fleet.cattle.io/bundle-name", "shop"), Some(Keeper::Fleet));
        assert_eq!(by_annotation("objectset.rio.cattle.io/id", "fleet-agent-bootstrap"), Some(Keeper::Fleet));
        assert_eq!(by_label("objectset.rio.cattle.io/hash", "0a1b"), Some(Keeper::Wrangler));
        assert_eq!(by_label("app.kubernetes.io/instance", "shop"), None);
        assert_eq!(by_annotation("argocd.argoproj.io/sync-wave", "1"), None);
    }

    #[test]
    fn who_installs_for_another_is_not_the_keeper() {
        let flux = map(&[("helm.toolkit.fluxcd.io/name", "shop"), ("app.kubernetes.io/managed-by", "Helm")]);
        assert_eq!(Keeper::of(&flux, &map(&[("meta.helm.sh/release-name", "shop")])), Some(Keeper::FluxHelm));
        let fleet =
            map(&[("objectset.rio.cattle.io/id", "fleet-agent"), ("meta.helm.sh/release-name", "shop")]);
        assert_eq!(Keeper::of(&map(&[]), &fleet), Some(Keeper::Fleet));
    }
}
