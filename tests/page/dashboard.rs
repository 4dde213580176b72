//! The dashboard over saved runs.

use bootstorm_report::Dashboard;
use bootstorm_report::dashboard::Folder;

use super::{opened, record};

fn page() -> String {
    let now = "2026-03-05T00:00:00Z".parse().unwrap();
    let mut dashboard = Dashboard::new(now, 30, "results".into());
    for number in 0_u32..60 {
        let (driver, size) = (["fast", "slow", "</script><b>"][number as usize % 3], 5 + 5 * (number % 4));
        let mut run = record::run(size, "boot-storm-test", |index| number == 0 && index == 0);
        run.run_id = number.to_string();
        let path = format!("{driver}/1-disk/20260304-1000{number:02}_boot-storm-test_1-{size}");
        let names = vec!["run.json".to_owned()];
        let bytes = serde_json::to_vec(&run).unwrap();
        dashboard.add(&Folder { path, names, files: vec![("run.json".into(), Ok(bytes))] });
    }
    dashboard.html()
}

#[test]
fn is_filtered_looked_into_and_downloaded_without_a_request() {
    let Some(mut browser) = opened(&page()) else { return };
    assert_eq!(browser.texts("#run-status"), ["60 runs, 1 to 50 shown"]);
    assert_eq!(browser.texts("#configurations tbody tr").len(), 12);
    assert_eq!(browser.texts("#groups text.tick").iter().filter(|text| *text == "20").count(), 1);

    let right =
        "document.querySelector('#configuration-table thead th:nth-child(10)').getBoundingClientRect().right";
    assert!(browser.value(right).as_f64().unwrap() < 1280.0, "the ratio of each configuration is in sight");

    browser.enter("#filter-driver", "slow");
    assert_eq!(browser.texts("#filter-status"), ["20 runs of 60 chosen."]);
    assert_eq!(browser.texts("#configurations tbody tr").len(), 4);
    assert_eq!(browser.value("document.querySelectorAll('#trend circle').length"), 40);
    browser.enter("#filter-driver", "");
    browser.enter("#figure", "running_max");
    browser.enter("#grouping", "driver");
    assert_eq!(browser.texts("#groups-title"), ["By storage"]);
    assert!(browser.texts("#groups text").iter().any(|text| text == "slowest time to running, s"));
    browser.press("#groups svg", "ArrowRight", 39);
    assert!(browser.texts("#tip")[0].contains("20 runs\ncreation: "), "{:?}", browser.texts("#tip"));

    let (name, csv) = browser.download("#run-csv");
    assert_eq!((name.as_str(), csv.lines().count()), ("boot-storm-runs.csv", 61));

    browser.click("#run-table tbody tr:first-child button");
    assert_eq!(browser.texts("#details h3"), ["boot-storm-test"]);
    let vms = browser.texts("#details table:last-of-type tbody th");
    assert!(vms.contains(&"boot-storm-test-1".to_owned()), "{vms:?}");
    browser.click("#theme");
    browser.assert_calm();
}
