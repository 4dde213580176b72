//! The common requirements of the Ant and Jenkins schemas for `JUnit` XML.

use roxmltree::{Document, Node};

/// A test suite's attributes in both schemas: name, and whether it is a number.
const SUITE: [(&str, bool); 10] = [
    ("id", true),
    ("name", false),
    ("package", false),
    ("timestamp", false),
    ("hostname", false),
    ("tests", true),
    ("failures", true),
    ("errors", true),
    ("skipped", true),
    ("time", true),
];

/// Asserts the structure, suites with these names, and this many cases in each.
#[track_caller]
pub(super) fn check(text: &str, suites: &[&str], cases: usize) {
    let document = Document::parse(text).unwrap();
    let root = document.root_element();
    assert_eq!((root.tag_name().name(), root.attributes().len()), ("testsuites", 0));
    let found: Vec<Node<'_, '_>> = elements(root);
    let names: Vec<&str> = found.iter().map(|suite| suite.attribute("name").unwrap()).collect();
    assert_eq!(names, suites);
    for (position, node) in found.into_iter().enumerate() {
        assert_eq!(node.attribute("id"), Some(position.to_string().as_str()));
        suite(node, cases);
    }
}

fn elements<'a, 'input>(node: Node<'a, 'input>) -> Vec<Node<'a, 'input>> {
    assert!(
        node.children().all(|child| child.is_element() || child.text().unwrap_or_default().trim().is_empty())
    );
    node.children().filter(Node::is_element).collect()
}

fn suite(node: Node<'_, '_>, cases: usize) {
    assert_eq!((node.tag_name().name(), node.attributes().len()), ("testsuite", SUITE.len()));
    for (name, is_number) in SUITE {
        let value = node.attribute(name).unwrap_or_else(|| panic!("no {name}"));
        assert!(!value.is_empty() && (!is_number || value.parse::<f64>().is_ok()), "{name}={value}");
    }
    let timestamp = node.attribute("timestamp").unwrap();
    let shape: String = timestamp.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    assert_eq!(shape, "9999-99-99T99:99:99");
    // Properties first, then the cases, then captured output.
    let children = elements(node);
    let names: Vec<&str> = children.iter().map(|child| child.tag_name().name()).collect();
    let mut wanted = vec!["properties"];
    wanted.extend(vec!["testcase"; cases]);
    wanted.extend(["system-out", "system-err"]);
    assert_eq!(names, wanted);
    for property in elements(children[0]) {
        assert!(property.has_tag_name("property") && property.attribute("name").is_some());
        assert!(property.attribute("value").is_some() && property.attributes().len() == 2);
    }
    let mut counts = [0; 3];
    for case in &children[1..=cases] {
        if let Some(kind) = case_kind(*case) {
            counts[kind] += 1;
        }
    }
    let told =
        ["failures", "errors", "skipped"].map(|name| node.attribute(name).unwrap().parse::<i32>().unwrap());
    assert_eq!(told, counts);
    assert_eq!(node.attribute("tests").unwrap(), cases.to_string());
}

/// A case's outcome: failure, error, skipped.
fn case_kind(case: Node<'_, '_>) -> Option<usize> {
    assert_eq!(case.attributes().len(), 3);
    assert!(!case.attribute("name").unwrap().is_empty() && !case.attribute("classname").unwrap().is_empty());
    assert!(case.attribute("time").unwrap().parse::<f64>().unwrap() >= 0.0);
    let children = elements(case);
    let child = match children.as_slice() {
        [] => return None,
        [child] => child,
        _ => panic!("a case ends in one way only"),
    };
    match child.tag_name().name() {
        "skipped" => {
            assert!(child.attribute("message").is_some() && child.attributes().len() == 1);
            Some(2)
        }
        name => {
            assert!(child.attribute("type").is_some() && child.attribute("message").is_some());
            assert_eq!(child.attributes().len(), 2);
            Some(["failure", "error"].iter().position(|known| *known == name).unwrap())
        }
    }
}
