//! The report of one run.

use bootstorm_model::record::RunRecord;
use bootstorm_report::{Report, Selection};
use serde_json::json;

use super::browser::Browser;
use super::{opened, record};

fn page(record: &RunRecord) -> String {
    Report::of(record, &Selection::default()).html()
}

#[test]
fn is_sorted_filtered_downloaded_and_turned_dark_without_a_request() {
    let record = record::run(120, "boot-storm-test", |index| index == 7 || index == 90);
    let Some(mut browser) = opened(&page(&record)) else { return };
    let first = "#vm-table tbody tr:first-child th";
    // Failed ones first, each with its reason in the line below; then the slowest.
    let names = browser.texts("#vm-table tbody th");
    assert_eq!(names[..2], ["boot-storm-test-8", "boot-storm-test-91"]);
    assert_eq!(browser.texts("#vm-table tbody tr.why").len(), 2);
    assert_eq!(
        browser.texts("#vm-table tbody tr:nth-child(2)")[0],
        "=cmd|' /C calc'!A1, launcher pod crashed"
    );
    let times = browser.texts("#vm-table tbody tr:not(.why) td:nth-child(4)");
    let times: Vec<f64> = times[2..].iter().map(|text| text.parse().unwrap()).collect();
    assert!(times.len() == 48 && times.is_sorted_by(|a, b| a >= b), "{times:?}");
    assert_eq!(browser.texts("#vm-status"), ["120 VMs, 1 to 50 shown"]);

    // By a click, and back with the keyboard; text and numbers.
    browser.click("#vm-table thead th:nth-child(1) button");
    browser.press("#vm-table thead th:nth-child(1) button", "Enter", 13);
    assert_eq!(browser.texts(first), ["boot-storm-test-120"]);
    assert_eq!(
        browser.value("document.querySelector('#vm-table thead th').getAttribute('aria-sort')"),
        "descending"
    );
    let headings = browser.texts("#vm-table thead th");
    let running = headings.iter().position(|heading| heading == "running").unwrap() + 1;
    browser.click(&format!("#vm-table thead th:nth-child({running}) button"));
    let column = browser.texts(&format!("#vm-table tbody td:nth-child({running})"));
    let times: Vec<f64> = column.iter().map(|text| text.parse().unwrap()).collect();
    assert!(times.len() == 50 && times.is_sorted(), "{times:?}");
    // VMs that did not reach the goal come last in either order.
    browser.click(&format!("#vm-table thead th:nth-child({running}) button"));
    browser.click("#vm-pages button:nth-child(4)");
    let column = browser.texts(&format!("#vm-table tbody tr:not(.why) td:nth-child({running})"));
    assert_eq!(column[column.len() - 2..], ["–", "–"]);

    browser.enter("#vm-filter", "worker-3 crashed");
    assert_eq!(browser.texts("#vm-table tbody th"), ["boot-storm-test-8"]);
    browser.enter("#vm-filter", "");
    browser.enter("#vm-outcome", "failed");
    assert_eq!(browser.texts("#vm-status"), ["2 VMs"]);

    let (name, csv) = browser.download("#vm-csv");
    assert_eq!(name, "boot-storm-test-storm-1.csv");
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    assert_eq!(rows.headers().unwrap().iter().next_back(), Some("reason"));
    let cells: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    assert_eq!(cells.len(), 2);
    assert_eq!(&cells[0][cells[0].len() - 1], "reason:=cmd|' /C calc'!A1, launcher pod crashed");

    browser.enter("#vm-outcome", "");
    browser.enter("#vm-phase", "0");
    assert_eq!(browser.texts("#vm-status"), ["120 VMs, 1 to 50 shown"]);

    let paper = "getComputedStyle(document.body).backgroundColor";
    assert_eq!(browser.value(paper), "rgb(255, 255, 255)");
    browser.click("#theme");
    assert_eq!(browser.value(paper), "rgb(20, 23, 28)");
    assert_eq!(browser.texts("#theme"), ["Light theme"]);
    browser.assert_calm();
}

#[test]
fn the_times_of_the_recovery_are_in_sight_at_every_width() {
    let record = record::run(60, "boot-storm-test", |index| index == 7);
    let Some(mut browser) = opened(&page(&record)) else { return };
    assert_eq!(browser.texts("#recovery tbody th"), ["50 %", "90 %", "95 %", "99 %", "everyone"]);
    for width in [1400, 800, 390] {
        browser.resize(width);
        let cut = "(() => { const box = document.querySelector('#recovery .scroll'); return box.scrollWidth - box.clientWidth; })()";
        assert_eq!(browser.value(cut), 0, "{width}");
    }
    let edges = "getComputedStyle(document.querySelector('#recovery .scroll')).backgroundAttachment";
    assert_eq!(browser.value(edges), "local, local, scroll, scroll", "a shadow marks a table that is cut");
    browser.assert_calm();
}

#[test]
fn charts_say_their_values_to_the_keyboard() {
    let record = record::run(10, "boot-storm-test", |_| false);
    let Some(mut browser) = opened(&page(&record)) else { return };
    browser.press("#recovery .chart svg", "ArrowLeft", 37);
    let tips = browser.texts("#tip");
    assert!(tips[0].contains("storm-1: 10 of 10 (100.0 %)"), "{tips:?}");
    browser.press("#recovery .chart svg", "Escape", 27);
    assert_eq!(browser.value("document.querySelector('#tip').hidden"), true);
    browser.assert_calm();
}

#[test]
fn fits_a_telephone_follows_the_system_and_works_without_scripts() {
    let record = record::run(40, "boot-storm-test", |index| index == 3);
    let Some(mut browser) = opened("") else { return };
    browser.resize(400);
    let dark = json!({"features": [{"name": "prefers-color-scheme", "value": "dark"}]});
    browser.call("Emulation.setEmulatedMedia", &dark);
    browser.call("Emulation.setScriptExecutionDisabled", &json!({"value": true}));
    browser.open(&page(&record));
    assert_eq!(browser.value("document.documentElement.scrollWidth <= innerWidth"), true);
    assert_eq!(browser.value("getComputedStyle(document.body).backgroundColor"), "rgb(20, 23, 28)");
    assert_eq!(browser.value("document.querySelectorAll('#vm-table tbody tr:not(.why)').length"), 25);
    assert_eq!(browser.value("document.querySelector('#theme').checkVisibility()"), false);
    let shown = "[...document.querySelectorAll('#recovery .chart svg')].map(e => e.checkVisibility())";
    assert_eq!(browser.value(shown), json!([false, true]));
    assert!(browser.texts("#failures .reason")[0].contains("launcher pod crashed"));
    browser.call("Emulation.setScriptExecutionDisabled", &json!({"value": false}));
    browser.assert_calm();
}

/// Top and bottom of the elements that a selector matches, in pixels from the top of the page.
fn places(browser: &mut Browser, selector: &str) -> Vec<(f64, f64)> {
    let selector = json!(selector);
    let found = browser.value(&format!(
        "[...document.querySelectorAll({selector})].map(e => e.getBoundingClientRect()).map(b => [b.top + scrollY, b.bottom + scrollY])"
    ));
    serde_json::from_value(found).unwrap()
}

#[test]
fn the_first_screen_has_the_answers() {
    let record = record::run(60, "boot-storm-test", |index| index < 3);
    let Some(mut browser) = opened(&page(&record)) else { return };
    for section in [".verdict", ".figures", "#recovery .chart", "#bottleneck", "#causes", "#validity summary"]
    {
        let (_, bottom) = places(&mut browser, section)[0];
        assert!(bottom < 900.0, "{section} ends at {bottom}");
    }
    let figures = browser.texts(".figures div").join("\n");
    assert!(figures.contains("Mean time to running") && figures.contains("×\n"), "the ratio: {figures}");
    assert_eq!(browser.value("document.querySelector('#validity details').open"), false);
    browser.assert_calm();
}

#[test]
fn no_row_is_blank_and_none_is_cut() {
    let mut record = record::run(60, "boot-storm-test", |index| index % 6 == 0);
    for timeline in record.phases.iter_mut().flat_map(|phase| &mut phase.timelines) {
        let told = format!("not running after 60s: {}", "a reason of many words ".repeat(12));
        timeline.reason = timeline.reason.as_ref().map(|_| told);
    }
    let Some(mut browser) = opened(&page(&record)) else { return };
    for (width, most) in [(1280, 70.0), (800, 100.0), (400, 190.0)] {
        browser.resize(width);
        let rows = places(&mut browser, "#vm-table tbody tr");
        let highest = rows.iter().map(|(top, bottom)| bottom - top).fold(0.0, f64::max);
        assert!(rows.len() == 60 && highest < most, "{highest} pixels high at {width}");
        // Messages are fully visible, however far a table is scrolled.
        let told = "[...document.querySelectorAll('.caption, #vm-table .why div, #failures *')].filter(e => { \
                    const b = e.getBoundingClientRect(); return b.width && (b.left < 0 || b.right > innerWidth); }).length";
        assert_eq!(browser.value(told), 0, "cut at {width}");
        let frames = "[...document.querySelectorAll('.scroll')].filter(e => e.scrollHeight > e.clientHeight + 20).length";
        assert_eq!(browser.value(frames), 0, "a table is cut in its height at {width}");
    }
    browser.assert_calm();
}

#[test]
fn everything_is_on_paper() {
    let record = record::run(30, "boot-storm-test", |index| index == 3);
    let Some(mut browser) = opened(&page(&record)) else { return };
    browser.resize(718);
    browser.call("Emulation.setEmulatedMedia", &json!({"media": "print"}));
    let wide = "[...document.querySelectorAll('table')].filter(e => e.getBoundingClientRect().right > innerWidth) \
                .map(e => `${e.ariaLabel}: ${e.getBoundingClientRect().right}`)";
    assert_eq!(browser.value(wide), json!([]), "tables are wider than a sheet");
    assert_eq!(browser.value("document.querySelector('nav').checkVisibility()"), false);
    browser.assert_calm();
}

#[test]
fn ten_thousand_vms_stay_quick() {
    let record = record::run(10_000, "boot-storm-test", |index| index % 100 == 0);
    let Some(mut browser) = opened(&page(&record)) else { return };
    assert_eq!(browser.texts("#vm-status"), ["10000 VMs, 1 to 50 shown"]);
    let elements = browser.value("document.querySelectorAll('*').length").as_u64().unwrap();
    assert!(elements < 8_000, "{elements} elements");
    browser.enter("#vm-filter", "boot-storm-test-9999");
    assert_eq!(browser.texts("#vm-table tbody th"), ["boot-storm-test-9999"]);
    browser.enter("#vm-filter", "");
    browser.enter("#vm-outcome", "failed");
    assert_eq!(browser.texts("#vm-status"), ["100 VMs, 1 to 50 shown"]);
    let (_, csv) = browser.download("#vm-csv");
    assert_eq!(csv.lines().count(), 101);
    browser.assert_calm();
}

#[test]
fn hostile_names_do_nothing() {
    let evil = "</script><script>document.title='owned'</script><img src=http://127.0.0.1:9/ onerror=\"document.title='owned'\">\u{202e}";
    let mut record = record::run(30, evil, |index| index < 5);
    record.facts.kubernetes = Some(evil.into());
    for phase in &mut record.phases {
        for timeline in &mut phase.timelines {
            timeline.node = Some(evil.into());
            timeline.reason = timeline.reason.as_ref().map(|_| evil.into());
        }
    }
    let Some(mut browser) = opened(&page(&record)) else { return };
    assert!(browser.value("document.title").as_str().unwrap().starts_with("Boot storm </script>"));
    assert_eq!(browser.value("document.querySelectorAll('img').length"), 0);
    assert!(browser.texts("#vm-table tbody th")[0].starts_with("</script><script>"));
    browser.click("#vm-table thead th:nth-child(2) button");
    browser.press("#recovery .chart svg", "ArrowRight", 39);
    browser.assert_calm();
    // Even markup that got into the page could do nothing: the page's own policy forbids it.
    browser
        .value("document.body.insertAdjacentHTML('beforeend', '<b onclick=\"document.title=1\" id=x>x</b>')");
    browser.click("#x");
    assert_ne!(browser.value("document.title"), "1");
    browser.value("fetch('http://127.0.0.1:9/').catch(() => 0)");
    let complaints = browser.complaints();
    assert!(complaints.iter().any(|text| text.contains("inline event handler")), "{complaints:?}");
    assert!(complaints.iter().any(|text| text.contains("connect")), "{complaints:?}");
}
