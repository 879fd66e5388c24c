use super::commands;

fn refuses(script: &str, line: usize, text: &str) {
    let errors = commands(script).map(|_| ()).expect_err(script);
    assert_eq!(errors.len(), 1, "{script}: {errors:?}");
    assert_eq!(errors[0].line, line, "{script}: {errors:?}");
    assert!(errors[0].text.contains(text), "{script}: {errors:?}");
}

#[test]
fn lines_that_are_none_of_the_language_are_errors() {
    refuses("load 5m\n  a 1\n\nfoo bar", 4, "unknown command \"foo\"");
    refuses("lead 5m", 1, "unknown command \"lead\"");
    refuses("load_fast 5m", 1, "unknown command \"load_fast\"");
    refuses("load", 1, "\"\"");
    refuses("load 5m 6m", 1, "unexpected \"6m\"");
    refuses("load 5m\n  a 1 x", 2, "");
    refuses("load 5m\n  a@st 1z", 2, "1z");
    refuses("eval at 5m x", 1, "expected at or from");
    refuses("eval instant from 0 to 1m step 1m x", 1, "expected eval instant at T");
    refuses("eval range from 1m to 0 step 1m x", 1, "end not before the start");
    refuses("eval range from 0 to 1m step 0 x", 1, "step above 0");
    refuses("eval instant at 5m x +", 1, "unexpected end of input");
    refuses("eval_slow instant at 5m x", 1, "unknown command \"eval_slow\"");
    refuses("eval instant at 5m x\n  x{a=b} 1", 2, "expected string");
    refuses("eval instant at 5m x\n  x 1\n  2", 3, "a number is the whole result");
    refuses("eval instant at 5m x\n\n  expect nothing", 3, "unknown command \"expect\"");
    refuses("eval instant at 5m x\n  expect nothing", 2, "unknown expectation \"nothing\"");
    refuses("eval instant at 5m x\n  expect", 2, "unknown expectation \"\"");
    refuses("eval instant at 5m x\n  expect fail because", 2, "expected msg: or regex:");
    refuses("eval instant at 5m x\n  expect fail\n  expect fail", 3, "twice");
    refuses("eval instant at 5m x\n  expect warn\n  expect no_warn", 1, "expected and excluded");
    refuses("eval instant at 5m x\n  expect ordered please", 2, "unexpected \"please\"");
    refuses("eval range from 0 to 1m step 1m x\n  expect ordered", 2, "no order");
    refuses("eval instant at 5m x\n  expect string x", 2, "a string in quotes");
    refuses("eval instant at 5m x\n  expect range matrix", 2, "unknown expectation");
}

#[test]
fn what_is_of_the_language_is_taken() {
    let script = "# a remark\nCLEAR\nload 5m\n  a@st -1m _\n  a 1 2\nload_pushes 1m\n  b 1 _ stale\n\n\
        eval instant at 1h30m a\n  expect no_info\n  a 1\n\n\
        eval range from 0 to 1m step 30s a\n  # nothing\n\n\
        eval_fail instant at 0 a\n  expected_fail_message x\n";
    // the second load stands in the block of the first
    refuses(script, 6, "");
    let script = script.replace("load_pushes", "\nload_pushes");
    assert_eq!(commands(&script).expect("is a script").len(), 6);
}
