//! Proxy selection by kubectl's rules.

use std::net::IpAddr;

use http::Uri;

/// The proxy of the environment for a server; `None` if `NO_PROXY` names the server, or it is on this machine.
///
/// `variable` reads a variable of the environment.
pub(crate) fn of_environment(server: &Uri, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let read = |name: &str| {
        let found = [name.to_uppercase(), name.to_lowercase()].iter().find_map(|name| variable(name));
        found.filter(|value| !value.is_empty())
    };
    let is_https = server.scheme_str() == Some("https");
    let proxy = read(if is_https { "https_proxy" } else { "http_proxy" })?;
    let host = server.host()?.trim_matches(['[', ']']).trim_end_matches('.').to_lowercase();
    let port = server.port_u16().unwrap_or(if is_https { 443 } else { 80 });
    let is_local = host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    if is_local || read("no_proxy").is_some_and(|list| is_excluded(&list, &host, port)) {
        return None;
    }
    Some(if proxy.contains("://") { proxy } else { format!("http://{proxy}") })
}

/// Whether a list in the form of `NO_PROXY` names a host.
fn is_excluded(list: &str, host: &str, port: u16) -> bool {
    let entries = list.split(',').map(|entry| entry.trim().to_lowercase());
    entries.filter(|entry| !entry.is_empty()).any(|entry| {
        if entry == "*" {
            return true;
        }
        if let Some((network, bits)) = entry.split_once('/') {
            return is_within(host, network, bits).unwrap_or(false);
        }
        let bare = entry.trim_matches(['[', ']']);
        let (name, wanted) = match entry.rsplit_once(':') {
            // An IPv6 address contains colons itself.
            Some((name, wanted)) if bare.parse::<IpAddr>().is_err() => {
                (name.trim_matches(['[', ']']), wanted.parse().ok())
            }
            _ => (bare, None),
        };
        if wanted.is_some_and(|wanted: u16| wanted != port) {
            return false;
        }
        let domain = name.strip_prefix('*').unwrap_or(name);
        match domain.strip_prefix('.') {
            Some(_) => host.ends_with(domain),
            None => host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')),
        }
    })
}

/// Whether an address is in a network such as `10.0.0.0/8`.
fn is_within(host: &str, network: &str, bits: &str) -> Option<bool> {
    let bits: u32 = bits.parse().ok()?;
    let number = |text: &str| -> Option<(u128, u32)> {
        match text.parse().ok()? {
            IpAddr::V4(address) => Some((u128::from(address.to_bits()), 32)),
            IpAddr::V6(address) => Some((address.to_bits(), 128)),
        }
    };
    let ((host, width), (network, network_width)) = (number(host)?, number(network)?);
    let shift = width.checked_sub(bits)?;
    let prefix = |address: u128| address.checked_shr(shift).unwrap_or(0);
    Some(width == network_width && prefix(host) == prefix(network))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_are_excluded_are_reached_without_a_proxy() {
        let proxy = |server: &str, list: &str| {
            let variable = |name: &str| match name {
                "HTTPS_PROXY" => Some("proxy:3128".to_owned()),
                "no_proxy" => Some(list.to_owned()),
                _ => None,
            };
            of_environment(&server.parse().unwrap(), variable)
        };
        let server = "https://api.example.org:6443";
        for list in ["", "other.org", "example.org:443", ".api.example.org", "10.0.0.0/8", "pi.example.org"] {
            assert_eq!(proxy(server, list).as_deref(), Some("http://proxy:3128"), "{list}");
        }
        for list in
            ["*", "example.org", ".example.org", "*.example.org", "x, API.example.org", "example.org:6443"]
        {
            assert_eq!(proxy(server, list), None, "{list}");
        }
        assert_eq!(proxy("https://10.1.2.3:6443", "10.0.0.0/8"), None);
        assert_eq!(proxy("https://[fd00::1]:6443", "fd00::/8"), None);
        assert_eq!(proxy("https://[fd00::1]:6443", "fd00::1"), None);
        assert!(proxy("https://11.1.2.3:6443", "10.0.0.0/8,0.0.0.0/x").is_some());
        assert_eq!(proxy("https://127.0.0.1:6443", ""), None);
        assert_eq!(proxy("https://localhost:6443", ""), None);
        assert_eq!(proxy("http://api.example.org", ""), None);
    }
}
