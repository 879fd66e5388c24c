//! What was answered 2xx outlives the process.

use mayfly_tests::Fixture;

#[test]
fn killed_directly_behind_the_answer() {
    let mut fixture = Fixture::new();
    for value in ["1", "2", "3"] {
        fixture.push("PUT", "job/kill", &format!("x {value}\n"));
        fixture.restart_after_kill();
        fixture.check("x", &[(r#"x{job="kill"}"#, value)]);
    }
    fixture.push("DELETE", "job/kill", "");
    fixture.restart_after_kill();
    fixture.check("x", &[]);
}

#[test]
fn stopped_cleanly() {
    let mut fixture = Fixture::new();
    fixture.push("PUT", "job/stop", "x 1\n");
    fixture.stop();
    fixture.start();
    fixture.check("x", &[(r#"x{job="stop"}"#, "1")]);
}
