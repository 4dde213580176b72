use proptest::prelude::*;

use super::*;

/// Any JSON value, with few names, so that objects have some in common.
fn any_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "[a-c~/é\"\\\\]{0,6}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
            prop::collection::btree_map("[a-c~/]{0,2}", inner, 0..5)
                .prop_map(|fields| serde_json::Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn it_reads_and_writes_what_serde_json_does(plain in any_value(), other in any_value()) {
        let text = plain.to_string();
        let (ours, theirs): (Value, serde_json::Value) =
            (serde_json::from_str(&text).unwrap(), serde_json::from_str(&text).unwrap());
        prop_assert_eq!(ours.to_string(), theirs.to_string());
        prop_assert_eq!(serde_json::Value::from(ours), theirs);
        let (one, another) = (Value::from(plain.clone()), Value::from(other.clone()));
        prop_assert_eq!(one == another, plain == other);
    }

    #[test]
    fn pointers_lead_to_the_same_places(plain in any_value(), pointer in "(/([a-c]|~0|~1|0|1|01|\\+1|-)){0,4}|a") {
        let mut plain = plain;
        let mut ours = Value::from(plain.clone());
        prop_assert_eq!(ours.pointer(&pointer).cloned(), plain.pointer(&pointer).cloned().map(Value::from));
        let before = ours.clone();
        if let Some(found) = plain.pointer_mut(&pointer) {
            *found = "changed".into();
        }
        if let Some(found) = ours.pointer_mut(&pointer) {
            *found = "changed".into();
        }
        prop_assert_eq!(&ours, &Value::from(plain.clone()));
        let (text, text_before) = (ours.to_string(), before.to_string());
        prop_assert_eq!(ours == before, text == text_before);
    }

    #[test]
    fn fields_are_those_of_a_sorted_map(steps in prop::collection::vec(("[a-e]{1,2}", 0_u8..4, any::<u8>()), 0..40)) {
        let mut expected = std::collections::BTreeMap::new();
        let mut fields = Map::new();
        for (name, what, number) in steps {
            match what {
                0 => prop_assert_eq!(fields.remove(&name), expected.remove(&name).map(|n: u8| Value::from(u64::from(n)))),
                1 => {
                    expected.entry(name.clone()).or_insert(number);
                    fields.entry(name).or_insert(u64::from(number).into());
                }
                _ => {
                    expected.insert(name.clone(), number);
                    fields.insert(name, u64::from(number).into());
                }
            }
            let ours: Vec<_> = fields.iter().map(|(name, value)| (name.to_string(), value.as_u64())).collect();
            let theirs: Vec<_> = expected.iter().map(|(name, n)| (name.clone(), Some(u64::from(*n)))).collect();
            prop_assert_eq!(ours, theirs);
        }
    }
}

#[test]
fn a_copy_shares_all_but_what_is_changed() {
    let before =
        json!({"metadata": {"name": "a"}, "spec": {"big": [1, 2, 3]}, "status": {"phase": "Pending"}});
    let mut after = before.clone();
    after["status"]["phase"] = "Running".into();
    assert_eq!(before["status"], json!({"phase": "Pending"}));
    assert_eq!(after["status"], json!({"phase": "Running"}));
    let (Value::Object(one), Value::Object(other)) = (&before["spec"], &after["spec"]) else { panic!() };
    assert!(Arc::ptr_eq(one, other));
    assert_ne!(before, after);
}

#[test]
fn a_missing_field_is_null_until_it_is_written() {
    let mut value = Value::Null;
    assert!(value["a"]["b"].is_null() && value[3].is_null());
    value["a"]["b"] = json!(1);
    assert_eq!((value.to_string().as_str(), value["a"]["b"] == 1), (r#"{"a":{"b":1}}"#, true));
}
