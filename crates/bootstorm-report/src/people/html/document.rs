//! The page around the content: head, policy, style, script, embedded data.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::markup::Markup;

/// Colours, type, tables and controls shared by every page.
pub(crate) const BASE_STYLE: &str = include_str!("assets/base.css");
/// Theme, hover and helpers shared by every page.
pub(crate) const BASE_SCRIPT: &str = include_str!("assets/base.js");

/// A page without its content
pub(crate) struct Document<'a> {
    /// Generator for the page's metadata.
    pub(crate) generator: &'a str,
    /// Title of the page.
    pub(crate) title: &'a str,
    /// Style sheets, in order.
    pub(crate) styles: &'a [&'a str],
    /// Scripts, in order; each one sees the names of those before it.
    pub(crate) scripts: &'a [&'a str],
}

impl Document<'_> {
    /// The page with a body, and data for its scripts.
    ///
    /// The policy names style and script by their hashes: injected markup could neither run, nor restyle the page, nor
    /// send anything anywhere.
    pub(crate) fn write(&self, body: &Markup, data: &str) -> String {
        let style = self.styles.concat();
        let script = format!("(()=>{{'use strict';\n{}\n}})();\n", self.scripts.concat());
        let policy = format!(
            "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
            hash(&style),
            hash(&script)
        );
        let mut head = Markup::new();
        head.empty("meta", &[("name", "generator"), ("content", self.generator)])
            .empty("meta", &[("http-equiv", "Content-Security-Policy"), ("content", &policy)])
            .empty("meta", &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")])
            .empty("meta", &[("name", "referrer"), ("content", "no-referrer")])
            .empty("meta", &[("name", "color-scheme"), ("content", "light dark")])
            .leaf("title", &[], self.title);
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n{}\n<style>{style}</style>\n</head>\n\
             <body>\n{}<script type=\"application/json\" id=\"data\">{}</script>\n<script>{script}</script>\n</body>\n</html>\n",
            head.as_str(),
            body.as_str(),
            harmless(data),
        )
    }
}

/// JSON that cannot end its element, nor open a comment in it.
fn harmless(json: &str) -> String {
    // In JSON these characters occur only inside strings, where an escape means the same.
    json.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e")
}

fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_cannot_leave_its_element() {
        let page =
            Document { generator: "g", title: "</title><b>", styles: &["p{}"], scripts: &["let a=1;"] }
                .write(&Markup::new(), r#"["</script><!--<script>"]"#);
        assert_eq!(page.matches("</script>").count(), 2, "{page}");
        assert!(page.contains(r#"["\u003c/script\u003e\u003c!--\u003cscript\u003e"]"#), "{page}");
        assert!(page.contains("<title>&lt;/title&gt;&lt;b&gt;</title>"));
    }

    #[test]
    fn the_policy_names_the_hash_of_what_is_in_the_file() {
        let page = Document { generator: "g", title: "t", styles: &["p{", "}"], scripts: &[] }
            .write(&Markup::new(), "0");
        // printf 'p{}' | openssl dgst -sha256 -binary | base64
        assert!(
            page.contains("style-src &#39;sha256-gG2yISYereRMiG2lMXrbiUgi0Ubw9p7QCeWcroOvy9Y=&#39;"),
            "{page}"
        );
    }

    #[test]
    fn no_asset_can_end_its_element() {
        for asset in [BASE_STYLE, BASE_SCRIPT, super::super::STYLE, super::super::SCRIPT] {
            assert!(!asset.contains("</") && !asset.contains("<!--"));
        }
    }
}
