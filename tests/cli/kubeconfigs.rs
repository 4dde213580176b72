//! Kubeconfigs as users have them, compared with the real kubectl.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{Cluster, Program, tools};

/// The expected outcome for a kubeconfig
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// Both kubectl and this tool reach the cluster.
    Well,
    /// Both fail; this tool's message contains these words.
    Badly(&'static str),
    /// This tool reaches the cluster, kubectl does not.
    OnlyHere,
}
use Ends::{Badly, OnlyHere, Well};

/// One or more kubeconfigs: `A`, `B`, `C` are the files of the list; `missing` never exists.
///
/// `@URL`, `@HOST`, `@CA`, `@TOKEN` stand for a running cluster's values, `@LINES` and `@FOLDED` for its CA in several
/// lines, and `@cluster`, `@user`, `@context` for whole entries.
struct Case {
    name: &'static str,
    files: &'static [(&'static str, &'static str)],
    list: &'static str,
    flags: &'static [&'static str],
    ends: Ends,
}

const CLUSTER: &str = "clusters: [{name: c, cluster: {server: @URL, certificate-authority-data: @CA}}]\n";
const USER: &str = "users: [{name: u, user: {token: @TOKEN}}]\n";
const CONTEXT: &str = "contexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x\n";

/// Cases with one file: replacements for the cluster's and the user's values.
const VALUES: [(&str, &str, &str, Ends); 40] = [
    ("plain", "server: @URL, certificate-authority-data: @CA", "token: @TOKEN", Well),
    (
        "authority in lines under |",
        "server: @URL, certificate-authority-data: \"@LINES\"",
        "token: @TOKEN",
        Well,
    ),
    (
        "authority folded",
        "server: @URL, certificate-authority-data: \"@FOLDED\"",
        "token: @TOKEN",
        Badly("holds blanks"),
    ),
    (
        "authority with a blank first",
        "server: @URL, certificate-authority-data: \" @CA\"",
        "token: @TOKEN",
        Badly("holds blanks"),
    ),
    (
        "authority without padding",
        "server: @URL, certificate-authority-data: YQ",
        "token: @TOKEN",
        Badly("padding"),
    ),
    (
        "authority for URLs",
        "server: @URL, certificate-authority-data: _-8=",
        "token: @TOKEN",
        Badly("for URLs"),
    ),
    (
        "authority is no certificate",
        "server: @URL, certificate-authority-data: YQ==",
        "token: @TOKEN",
        Badly("certificate"),
    ),
    ("authority in a file beside", "server: @URL, certificate-authority: ca.crt", "token: @TOKEN", Well),
    (
        "authority in a folder below",
        "server: @URL, certificate-authority: ./below/ca.crt",
        "token: @TOKEN",
        Well,
    ),
    (
        "authority in no file",
        "server: @URL, certificate-authority: nowhere",
        "token: @TOKEN",
        Badly("cannot be read"),
    ),
    (
        "authority twice",
        "server: @URL, certificate-authority: ca.crt, certificate-authority-data: @CA",
        "token: @TOKEN",
        Badly("both specified"),
    ),
    (
        "authority empty",
        "server: @URL, certificate-authority-data: ''",
        "token: @TOKEN",
        Badly("certificate"),
    ),
    ("insecure", "server: @URL, insecure-skip-tls-verify: true", "token: @TOKEN", Well),
    (
        "insecure with an authority",
        "server: @URL, insecure-skip-tls-verify: true, certificate-authority-data: @CA",
        "token: @TOKEN",
        Badly("both specified"),
    ),
    (
        "empty values",
        "server: @URL, certificate-authority-data: @CA, certificate-authority: '', proxy-url: '', tls-server-name: ''",
        "token: @TOKEN, tokenFile: '', client-certificate: '', client-key-data: '', username: '', password: ''",
        Well,
    ),
    (
        "null values",
        "server: @URL, certificate-authority-data: @CA, proxy-url: ~",
        "token: @TOKEN, username: ~, exec: ~",
        Well,
    ),
    (
        "another name",
        "server: @URL, certificate-authority-data: @CA, tls-server-name: elsewhere",
        "token: @TOKEN",
        Badly("--tls-server-name"),
    ),
    ("without a scheme", "server: @HOST, certificate-authority-data: @CA", "token: @TOKEN", OnlyHere),
    ("with a slash", "server: @URL/, certificate-authority-data: @CA", "token: @TOKEN", Well),
    ("no server", "server: ''", "token: @TOKEN", Badly("")),
    (
        "proxy that is not there",
        "server: @URL, certificate-authority-data: @CA, proxy-url: 'http://127.0.0.1:1'",
        "token: @TOKEN",
        Badly(""),
    ),
    ("token file with a line end", "server: @URL, certificate-authority-data: @CA", "tokenFile: token", Well),
    (
        "token file with blanks",
        "server: @URL, certificate-authority-data: @CA",
        "tokenFile: ./below/token",
        Well,
    ),
    (
        "token file that is not there",
        "server: @URL, certificate-authority-data: @CA",
        "tokenFile: nowhere",
        Badly("cannot be read"),
    ),
    (
        "token file that is empty",
        "server: @URL, certificate-authority-data: @CA",
        "tokenFile: empty",
        Badly("is empty"),
    ),
    (
        "token file before a wrong token",
        "server: @URL, certificate-authority-data: @CA",
        "token: wrong, tokenFile: token",
        Well,
    ),
    (
        "token beside a token file that is not there",
        "server: @URL, certificate-authority-data: @CA",
        "token: @TOKEN, tokenFile: nowhere",
        Well,
    ),
    (
        "token with a line end",
        "server: @URL, certificate-authority-data: @CA",
        "token: \"@TOKEN\\n\"",
        Badly("a line end"),
    ),
    (
        "token that is a number",
        "server: @URL, certificate-authority-data: @CA",
        "token: 0123",
        Badly("needs quotes"),
    ),
    (
        "token and password",
        "server: @URL, certificate-authority-data: @CA",
        "token: @TOKEN, username: me",
        Badly("more than one authentication method"),
    ),
    (
        "token and plugin",
        "server: @URL, certificate-authority-data: @CA",
        "token: @TOKEN, exec: {apiVersion: client.authentication.k8s.io/v1, command: nowhere-at-all, interactiveMode: Never}",
        Well,
    ),
    (
        "certificate without a key",
        "server: @URL, certificate-authority-data: @CA",
        "token: @TOKEN, client-certificate-data: @CA",
        Badly("client-key"),
    ),
    (
        "key without a certificate",
        "server: @URL, certificate-authority-data: @CA",
        "token: @TOKEN, client-key-data: YQ==",
        Well,
    ),
    (
        "certificate twice",
        "server: @URL, certificate-authority-data: @CA",
        "token: @TOKEN, client-certificate: ca.crt, client-certificate-data: @CA, client-key: ca.crt",
        Badly("both specified"),
    ),
    (
        "certificate in no file",
        "server: @URL, certificate-authority-data: @CA",
        "token: @TOKEN, client-certificate: nowhere, client-key: ca.crt",
        Badly("cannot be read"),
    ),
    (
        "groups without a user",
        "server: @URL, certificate-authority-data: @CA",
        "token: @TOKEN, as-groups: [g]",
        Badly("without impersonating"),
    ),
    (
        "unknown values",
        "server: @URL, certificate-authority-data: @CA, colour: red",
        "token: @TOKEN, shoe-size: 43",
        Well,
    ),
    ("insecure as a word", "server: @URL, insecure-skip-tls-verify: yes", "token: @TOKEN", Well),
    (
        "insecure in quotes",
        "server: @URL, insecure-skip-tls-verify: 'true'",
        "token: @TOKEN",
        Badly("needs quotes"),
    ),
    (
        "another's data is broken",
        "server: @URL, certificate-authority-data: @CA",
        "token: @TOKEN}}, {name: v, user: {client-key-data: YQ",
        Badly("padding"),
    ),
];

const LISTS: [Case; 19] = [
    Case {
        name: "missing file in a list",
        files: &[("A", CONTEXT), ("B", "@cluster@user")],
        list: "A:missing:B",
        flags: &[],
        ends: Well,
    },
    Case {
        name: "missing file first",
        files: &[("A", "@cluster@user@context")],
        list: "missing:A",
        flags: &[],
        ends: Well,
    },
    Case {
        name: "empty names in a list",
        files: &[("A", "@cluster@user@context")],
        list: "::A:",
        flags: &[],
        ends: Well,
    },
    Case {
        name: "the same file twice",
        files: &[("A", "@cluster@user@context")],
        list: "A:A",
        flags: &[],
        ends: Well,
    },
    Case {
        name: "an empty file in a list",
        files: &[("A", ""), ("B", "@cluster@user@context")],
        list: "A:B",
        flags: &[],
        ends: Well,
    },
    Case {
        name: "an empty current context gives way",
        files: &[("A", "current-context: ''\n"), ("B", "@cluster@user@context")],
        list: "A:B",
        flags: &[],
        ends: Well,
    },
    Case {
        name: "the first current context wins",
        files: &[("A", "@cluster@user@context"), ("B", "current-context: other\n")],
        list: "A:B",
        flags: &[],
        ends: Well,
    },
    Case {
        name: "the first user wins",
        files: &[("A", "@cluster@user@context"), ("B", "users: [{name: u, user: {token: wrong}}]\n")],
        list: "A:B",
        flags: &[],
        ends: Well,
    },
    Case {
        name: "the first user wins although it says little",
        files: &[("A", "users: [{name: u, user: {token: wrong}}]\n"), ("B", "@cluster@user@context")],
        list: "A:B",
        flags: &[],
        ends: Badly(""),
    },
    Case {
        name: "the first cluster wins",
        files: &[
            ("A", "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\n"),
            ("B", "@cluster@user@context"),
        ],
        list: "A:B",
        flags: &[],
        ends: Badly(""),
    },
    Case {
        name: "the first context wins",
        files: &[
            ("A", "contexts: [{name: x, context: {cluster: d, user: u}}]\n"),
            ("B", "@cluster@user@context"),
        ],
        list: "A:B",
        flags: &[],
        ends: Badly(""),
    },
    Case {
        name: "a name twice in one file",
        files: &[(
            "A",
            "@cluster@usercontexts: [{name: x, context: {cluster: c, user: u}}, {name: x, context: {cluster: c, user: u}}]\ncurrent-context: x\n",
        )],
        list: "A",
        flags: &[],
        ends: Badly("the name \"x\" twice"),
    },
    Case {
        name: "paths of the second file",
        files: &[
            ("A", CONTEXT),
            (
                "below/B",
                "clusters: [{name: c, cluster: {server: @URL, certificate-authority: ca.crt}}]\n@user",
            ),
        ],
        list: "A:below/B",
        flags: &[],
        ends: Well,
    },
    Case {
        name: "a broken file in a list",
        files: &[("A", "@cluster@user@context"), ("B", "a: [b\n")],
        list: "A:B",
        flags: &[],
        ends: Badly("cannot be read"),
    },
    Case {
        name: "only the first document counts",
        files: &[("A", "@cluster@user@context---\ncurrent-context: other\n")],
        list: "A",
        flags: &[],
        ends: Well,
    },
    Case {
        name: "a namespace that is a bool",
        files: &[(
            "A",
            "@cluster@usercontexts: [{name: x, context: {cluster: c, user: u, namespace: n}}]\ncurrent-context: x\n",
        )],
        list: "A",
        flags: &[],
        ends: Badly("needs quotes"),
    },
    Case {
        name: "a user that is not there",
        files: &[("A", "@cluster@user@context")],
        list: "A",
        flags: &["--user", "v"],
        ends: Badly("no user \"v\""),
    },
    Case {
        name: "a cluster that is not there",
        files: &[("A", "@cluster@user@context")],
        list: "A",
        flags: &["--cluster", "d"],
        ends: Badly("no cluster \"d\""),
    },
    Case {
        name: "another kind of object",
        files: &[("A", "kind: Pod\napiVersion: v1\n")],
        list: "A",
        flags: &[],
        ends: Badly("its kind is not Config"),
    },
];

/// A running cluster's values for the placeholders.
struct Real {
    url: String,
    authority: String,
    token: String,
}

impl Real {
    fn of(cluster: &Cluster) -> Self {
        let text = std::fs::read_to_string(cluster.kubeconfig()).unwrap();
        let value = |key: &str| {
            let found = text.lines().find_map(|line| line.trim().trim_start_matches("- ").strip_prefix(key));
            found.unwrap().trim().trim_matches(['"', '\'']).to_owned()
        };
        Self {
            url: value("server:"),
            authority: value("certificate-authority-data:"),
            token: value("token:"),
        }
    }

    fn fill(&self, text: &str) -> String {
        let lines: Vec<&str> =
            self.authority.as_bytes().chunks(76).map(|line| str::from_utf8(line).unwrap()).collect();
        let host = self.url.strip_prefix("https://").unwrap();
        text.replace("@cluster", CLUSTER)
            .replace("@user", USER)
            .replace("@context", CONTEXT)
            .replace("@URL", &self.url)
            .replace("@HOST", host)
            .replace("@TOKEN", &self.token)
            .replace("@LINES", &(lines.join("\\n") + "\\n"))
            .replace("@FOLDED", &lines.join(" "))
            .replace("@CA", &self.authority)
    }
}

/// Writes a case's files to a folder.
fn prepare(folder: &Path, real: &Real, files: &[(&str, &str)]) {
    use base64::Engine;
    std::fs::create_dir_all(folder.join("below")).unwrap();
    let authority = base64::engine::general_purpose::STANDARD.decode(&real.authority).unwrap();
    let token = real.token.as_bytes();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).unwrap();
    write("ca.crt", &authority);
    write("below/ca.crt", &authority);
    write("token", &[token, b"\n"].concat());
    write("below/token", &[b" \n", token, b" \r\n\n"].concat());
    write("empty", b"\n");
    for (name, text) in files {
        write(name, real.fill(text).as_bytes());
    }
}

fn list(folder: &Path, names: &str) -> String {
    let absolute = |name: &str| {
        if name.is_empty() { String::new() } else { folder.join(name).to_string_lossy().into_owned() }
    };
    names.split(':').map(absolute).collect::<Vec<_>>().join(":")
}

/// Whether kubectl reaches the cluster.
fn kubectl(program: &Path, folder: &Path, list: &str, flags: &[&str]) -> bool {
    let mut command = Command::new(program);
    command
        .args(["get", "--raw", "/api/v1/namespaces/default/configmaps", "--request-timeout", "20s"])
        .args(flags);
    command.env("KUBECONFIG", list).env("HOME", folder).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().unwrap().success()
}

/// Name, files, list of names, flags, expected outcome.
type Row = (&'static str, Vec<(String, String)>, &'static str, &'static [&'static str], Ends);

#[test]
fn kubeconfigs_do_what_they_do_for_kubectl() {
    let cluster = Cluster::instant();
    let real = Real::of(&cluster);
    // KUBECTL selects another version. If there is none, only this tool is checked.
    let program = std::env::var_os("KUBECTL").map(PathBuf::from).or_else(|| tools::find("kubectl"));
    let one_file = VALUES.iter().map(|(name, values, user, ends)| {
        let text =
            format!("clusters: [{{name: c, cluster: {{{values}}}}}]\nusers: [{{name: u, user: {{{user}}}}}]\n{CONTEXT}");
        (*name, vec![("A".to_owned(), text)], "A", &[][..], *ends)
    });
    let lists = LISTS.iter().map(|case| {
        let files = case.files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        (case.name, files, case.list, case.flags, case.ends)
    });
    let cases: Vec<_> = one_file.chain(lists).collect();
    let check = |(name, files, names, flags, ends): &Row| {
        let home = tempfile::tempdir().unwrap();
        let files: Vec<(&str, &str)> =
            files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        prepare(home.path(), &real, &files);
        let list = list(home.path(), names);
        let reached = program.as_deref().map(|program| kubectl(program, home.path(), &list, flags));
        if reached.is_some_and(|reached| reached != (*ends == Well)) {
            return Some(format!("{name}: kubectl reaches the cluster: {reached:?}"));
        }
        let program = Program::new(home.path()).env("KUBECONFIG", &list);
        let ran = program.run(&[&["status", "-A", "--request-timeout", "20s"], *flags].concat());
        let is_as_expected = match ends {
            Well | OnlyHere => ran.code == 0,
            Badly(words) => ran.code == 1 && ran.stderr.contains(words),
        };
        let is_quiet = !ran.stderr.contains(&real.token) && !ran.stderr.contains("0123");
        (!is_as_expected || !is_quiet).then(|| format!("{name}: {ends:?}, but {ran:?}"))
    };
    // Two at a time: each waits for child processes.
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let (first, second) = cases.split_at(cases.len() / 2);
        let other = scope.spawn(|| first.iter().filter_map(check).collect::<Vec<_>>());
        let mut wrong: Vec<String> = second.iter().filter_map(check).collect();
        wrong.extend(other.join().unwrap());
        wrong
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_server_alone_is_enough() {
    let cluster = Cluster::instant();
    let real = Real::of(&cluster);
    let program = Program::new(cluster.home.path());
    let server = ["status", "-A", "--insecure-skip-tls-verify", "--server", &real.url];
    program.run(&server).exits(1).complains(&["auth whoami"]);
}
