use super::*;

/// What a body says, a line for each of its own.
fn read(body: &[u8], precision: Precision) -> Vec<String> {
    let limits = Limits { labels_max: 3, ..Limits::default() };
    let Points { points, faults } = decode(body, precision, &limits).expect("within the limits");
    let pairs = |pairs: &[(Arc<str>, Arc<str>)]| {
        pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
    };
    let show = |Point { tags, fields, at_ms }: &Point| {
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let at = at_ms.map(|ms| format!(" @{ms}")).unwrap_or_default();
        format!("{{{}}} {}{at}", pairs(tags), fields.join(" "))
    };
    let told = faults.text();
    points.iter().map(show).chain(told.lines().map(str::to_owned)).collect()
}

#[track_caller]
fn check(body: &str, expect: &[&str]) {
    assert_eq!(read(body.as_bytes(), Precision::Nanoseconds), expect, "{body}");
}

/// A line that is refused for this.
#[track_caller]
fn refused(line: &str, reason: &str) {
    check(line, &[&format!("unable to parse '{line}': {reason}")]);
}

#[test]
fn lines() {
    check("cpu usage=1.5", &["{} cpu_usage=1.5"]);
    check(
        "cpu,host=a,zone=b usage=1.5,idle=2i,big=3u,ok=t 1700000000123456789\n",
        &["{host=a,zone=b} cpu_usage=1.5 cpu_idle=2 cpu_big=3 cpu_ok=1 @1700000000123"],
    );
    check("\n # a comment\r\n\na v=1\r\nb v=2  \n\n", &["{} a_v=1", "{} b_v=2"]);
    check("a   v=1   12000000", &["{} a_v=1 @12"]);
    // tags are in order
    check("a,y=1,x=2 v=1", &["{x=2,y=1} a_v=1"]);
    check("temperature value=7", &["{} temperature_value=7"]);
}

#[test]
fn values() {
    check("a b=t,c=T,d=true,e=True,f=TRUE", &["{} a_b=1 a_c=1 a_d=1 a_e=1 a_f=1"]);
    check("a b=f,c=F,d=false,e=False,f=FALSE", &["{} a_b=0 a_c=0 a_d=0 a_e=0 a_f=0"]);
    check("a b=-1.5e3,c=.5,d=5.,e=+1,f=-5i,g=1E-2", &["{} a_b=-1500 a_c=0.5 a_d=5 a_e=1 a_f=-5 a_g=0.01"]);
    check(
        "a b=9223372036854775807i,c=18446744073709551615u",
        &["{} a_b=9223372036854776000 a_c=18446744073709552000"],
    );
    // texts are left out, whatever is in them
    check("a s=\"x y,z=1 \\\" # \\\\\",n=4", &["{} a_n=4"]);
    check("a s=\"x\ny\",n=4\nb v=1", &["{} a_n=4", "{} b_v=1"]);
    check("a s=\"only\"", &["{} "]);
    for value in [
        "NaN",
        "inf",
        "-inf",
        "infinity",
        "0x10",
        "1e999",
        "yes",
        "tRUE",
        "1.5i",
        "-1u",
        "9223372036854775808i",
        "i",
        "1_0",
    ] {
        refused(&format!("a v={value}"), "invalid field value");
    }
}

#[test]
fn names() {
    check("cpu.load-1,ho-st=a,9x=b us.age=1", &["{_9x=b,ho_st=a} cpu_load_1_us_age=1"]);
    check("9cpu:x f=1", &["{} _9cpu:x_f=1"]);
    check("esc\\ aped\\,m,t\\ k\\=x=v\\,1\\ 2\\=3 f\\=1\\ 2=3", &["{t_k_x=v,1 2=3} esc_aped_m_f_1_2=3"]);
    // other backslashes stand for themselves
    check("a,p=C:\\dir\\x v=1", &["{p=C:\\dir\\x} a_v=1"]);
    check("unié,k=é v=1", &["{k=é} uni__v=1"]);
    check("a,k=b\"c v=1", &["{k=b\"c} a_v=1"]);
    // and none hides a line feed
    check(
        "a,k=b\\ v=1\nb v=2\\\nc v=3",
        &[
            "{} c_v=3",
            "unable to parse 'a,k=b\\ v=1': missing fields",
            "unable to parse 'b v=2\\': invalid field value",
        ],
    );
}

#[test]
fn faults() {
    refused(",a=1 v=1", "missing measurement");
    refused("a,", "missing tag key");
    refused("a,=1 v=1", "missing tag key");
    for line in ["a,t v=1", "a,t= v=1", "a,t,u=1 v=1", "a,t="] {
        refused(line, "missing tag value");
    }
    refused("a,t=1,t=2 v=1", "duplicate tags");
    refused("a,t-=1,t_=2 v=1", "duplicate tags");
    refused("a,__name__=b v=1", "a tag's name would begin with __, which is reserved");
    refused("a,b=1,c=2,d=3,e=4 v=1", "more than 3 tags, which is labels_per_series_max");
    for line in ["a", "a,t=1", "a,t=1\\ "] {
        refused(line.trim_end(), "missing fields");
    }
    refused("a =1", "missing field key");
    refused("a v=1,", "missing field key");
    for line in ["a v", "a v=", "a v=,w=1", "a v 12"] {
        refused(line, "missing field value");
    }
    refused("a v=\"x", "unbalanced quotes");
    refused("a v=\"x\"y", "invalid field value");
    for line in ["a v=1 x", "a v=1 1.5", "a v=1 1 2", "a v=1 9223372036854775808"] {
        refused(line, "bad timestamp");
    }
    // a fault is of its line, also if its quotes do not end
    check("a v=1\nb v=\"x\nc v=3", &["{} a_v=1", "{} c_v=3", "unable to parse 'b v=\"x': unbalanced quotes"]);
    let found = read(b"a\xff v=1\nb v=2", Precision::Nanoseconds);
    assert_eq!(found, ["{} b_v=2", "unable to parse 'a\u{fffd} v=1': not UTF-8"]);
    let long = format!("{} v", "x".repeat(300));
    assert_eq!(read(long.as_bytes(), Precision::Nanoseconds)[0].chars().count(), 240);
}

#[test]
fn precisions() {
    let check = |word: &str, expect: Option<&str>| {
        let found = Precision::from_word(word).map(|precision| read(b"a v=1 3600001", precision).remove(0));
        assert_eq!(found.as_deref(), expect, "{word}");
    };
    check("", Some("{} a_v=1 @3"));
    check("ns", Some("{} a_v=1 @3"));
    check("u", Some("{} a_v=1 @3600"));
    check("µ", Some("{} a_v=1 @3600"));
    check("ms", Some("{} a_v=1 @3600001"));
    check("s", Some("{} a_v=1 @3600001000"));
    check("m", Some("{} a_v=1 @216000060000"));
    check("h", Some("{} a_v=1 @12960003600000"));
    check("d", None);
    assert_eq!(read(b"a v=1 -1", Precision::Nanoseconds), ["{} a_v=1 @-1"]);
    let late = read(b"a v=1 9223372036854775807", Precision::Hours);
    assert!(late[0].ends_with("bad timestamp"), "{late:?}");
}

#[test]
fn limits() {
    let limits = Limits { bytes_max: 60, samples_max: 3, labels_max: 9 };
    let check = |body: &str, expect: Option<InfluxError>| {
        assert_eq!(decode(body.as_bytes(), Precision::Seconds, &limits).err(), expect, "{body}");
    };
    let too_many = Some(InfluxError::TooMany { samples_max: 3 });
    check("a,t=1 v=1,w=2\nb v=1", None);
    check("a,t=1 v=1,w=2\nb v=1,w=2", too_many.clone());
    // each field has all tags
    check("a,b=1,c=1,d=1,e=1,f=1,g=1,h=1,i=1 v=1,w=1,x=1", None);
    check("a,b=1,c=1,d=1,e=1,f=1,g=1,h=1,i=1,j=1 v=1,w=1,x=1", too_many);
    check(&" ".repeat(61), Some(InfluxError::TooLarge { bytes_max: 60 }));
}
