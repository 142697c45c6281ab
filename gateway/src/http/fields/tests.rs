//! How parameters are bound, and which faults are named.
use super::*;

/// The fields of a body.
fn object(json: &[u8]) -> Result<Fields<'_>, Failure> {
    Fields::read(&FieldName::ALL, None, Content::Json(json))
}

fn pairs<'a>(query: &'a str, form: &'a str) -> Result<Fields<'a>, Failure> {
    Fields::read(&FieldName::ALL, Some(query), Content::Form(form.as_bytes()))
}

fn detail<T: std::fmt::Debug>(result: Result<T, Failure>) -> String {
    result
        .expect_err("a failure")
        .detail
        .expect("a detail")
        .into_owned()
}

#[test]
fn numbers_and_strings_are_interchangeable() {
    for body in [
        r#"{"userId":"7","activityId":100301}"#,
        r#"{"userId":7,"activityId":"100301"}"#,
    ] {
        let fields = object(body.as_bytes()).expect("JSON");
        assert_eq!(fields.user(&Caller::Anyone).expect("a user").as_str(), "7");
        assert_eq!(fields.activity().expect("an activity").get(), 100_301);
    }
    let long = object(br#"{"userId":123456789012345678901234567890}"#).expect("JSON");
    assert_eq!(
        long.user(&Caller::Anyone).expect("a user").as_str(),
        "123456789012345678901234567890"
    );
}

#[test]
fn each_fault_names_its_field() {
    for (body, expected) in [
        ("{}", "userId: is missing"),
        (r#"{"userId":null}"#, "userId: is missing"),
        (r#"{"userId":true}"#, "userId: must be a string or a number"),
        (
            r#"{"userId":["u"]}"#,
            "userId: must be a string or a number",
        ),
        (r#"{"userId":""}"#, "userId: must not be empty"),
        (
            r#"{"userId":" u"}"#,
            "userId: must not begin or end with white space",
        ),
        (
            r#"{"userId":"a\u0000"}"#,
            "userId: must not contain control characters",
        ),
        (
            r#"{"userId":"\ud800"}"#,
            "userId: must be a string or a number",
        ),
    ] {
        assert_eq!(
            detail(object(body.as_bytes()).expect(body).user(&Caller::Anyone)),
            expected,
            "{body}"
        );
    }
    for number in [
        "0",
        "-1",
        "1.5",
        "1.5e0",
        "15e-1",
        "-1e3",
        "0.0",
        "1e99",
        "1e-99",
        "1e99999999999",
        "\"1e3\"",
        "\"x\"",
        "9223372036854775808",
        "9223372036854775808.0",
        "9.3E18",
    ] {
        let body = format!(r#"{{"activityId":{number}}}"#);
        let fields = object(body.as_bytes()).expect("JSON");
        assert!(
            detail(fields.activity()).starts_with("activityId: expected an integer"),
            "{number}"
        );
    }
}

#[test]
fn integers_may_have_a_point_or_an_exponent() {
    for spelled in [
        "200001.0",
        "200001.000",
        "2.00001E5",
        "2.00001e+5",
        "2000010e-1",
        "200001e0",
        "20000100E-2",
    ] {
        let body = format!(r#"{{"activityId":{spelled}}}"#);
        assert_eq!(
            object(body.as_bytes())
                .expect("JSON")
                .activity()
                .expect(spelled)
                .get(),
            200_001
        );
    }
    let large = object(br#"{"activityId":9223372036854775807.0}"#).expect("JSON");
    assert_eq!(
        large.activity().expect("no digit is lost").get(),
        i64::MAX as u64
    );
    let user = object(br#"{"userId":7.0}"#)
        .expect("JSON")
        .user(&Caller::Anyone);
    assert_eq!(
        user.expect("a user").as_str(),
        "7.0",
        "what is no number for us stays as it is spelled"
    );
}

#[test]
fn a_byte_order_mark_in_front_says_nothing() {
    let fields = object("\u{feff}{\"activityId\":7}".as_bytes()).expect("JSON");
    assert_eq!(fields.activity().expect("an activity").get(), 7);
    for body in ["\u{feff}", "\u{feff}\u{feff}{}", " \u{feff}{}"] {
        assert!(
            detail(object(body.as_bytes())).starts_with("body: "),
            "{body}"
        );
    }
}

#[test]
fn counts_are_from_one_to_ten() {
    let count = |value: &str| {
        let body = format!(r#"{{"count":{value}}}"#);
        object(body.as_bytes()).expect("JSON").count()
    };
    assert_eq!(count("null"), Ok(None));
    for ten in [
        "10", "\"10\"", "\" 10 \"", "10.0", "1e1", "1.0E+1", "0.1e2", "100e-1",
    ] {
        assert_eq!(
            count(ten).map(|count| count.map(DrawCount::get)),
            Ok(Some(10)),
            "{ten}"
        );
    }
    for bad in [
        "0",
        "11",
        "-1",
        "1.5",
        "1e2",
        "\"10.0\"",
        "\"\"",
        "\"ten\"",
        "99999999999999999999",
    ] {
        assert_eq!(
            detail(count(bad)),
            "count: expected an integer from 1 to 10",
            "{bad}"
        );
    }
    assert_eq!(detail(count("true")), "count: must be a string or a number");
}

#[test]
fn bodies_that_are_no_object_are_refused() {
    for body in [
        "",
        "null",
        "[\"u\",1]",
        "\"u\"",
        "{",
        "{\"userId\":}",
        "not JSON",
        "{} {}",
    ] {
        assert!(
            detail(object(body.as_bytes())).starts_with("body: "),
            "{body}"
        );
    }
    assert_eq!(
        detail(object(b"{\"userId\":\"\xff\"}")),
        "body: must be UTF-8"
    );
}

#[test]
fn parameters_come_from_query_and_form() {
    let fields = pairs("userId=a%20b&x=1&requestId=", "orderId=+7+").expect("pairs");
    assert_eq!(
        fields.user(&Caller::Anyone).expect("a user").as_str(),
        "a b"
    );
    assert_eq!(fields.order().expect("an order").map(OrderId::get), Some(7));
    assert_eq!(fields.request(), Ok(None), "an empty one is none");
    assert_eq!(
        detail(pairs("userId=", "").and_then(|fields| fields.user(&Caller::Anyone))),
        "userId: is missing"
    );
    assert_eq!(
        detail(pairs("userId=%FF", "").and_then(|fields| fields.user(&Caller::Anyone))),
        "userId: must be UTF-8"
    );
}

#[test]
fn a_parameter_may_come_twice_with_one_value() {
    let user = |query, json: &str| {
        let fields = Fields::read(&FieldName::ALL, Some(query), Content::Json(json.as_bytes()));
        fields
            .and_then(|fields| fields.user(&Caller::Anyone))
            .map(|user| user.as_str().to_owned())
    };
    for (query, json) in [
        ("userId=7&userId=7", "{}"),
        ("userId=7", r#"{"userId":7}"#),
        ("userId=7&userId=", r#"{"userId":"7"}"#),
        ("", r#"{"userId":7,"user\u0049d":"\u0037"}"#),
        ("userId=7", r#"{"userId":null}"#),
        ("", r#"{"userId":null,"userId":"7","x":1,"x":2}"#),
    ] {
        assert_eq!(user(query, json).as_deref(), Ok("7"), "{query} {json}");
    }
    for (query, json) in [
        ("userId=7&userId=8", "{}"),
        ("userId=7", r#"{"userId":8}"#),
        ("userId=7", r#"{"userId":7.0}"#),
        ("", r#"{"userId":"7","user\u0049d":"8"}"#),
        ("", r#"{"userId":[],"userId":[]}"#),
    ] {
        assert_eq!(
            detail(user(query, json)),
            "userId: comes twice with different values",
            "{query} {json}"
        );
    }
    assert_eq!(
        detail(pairs("userId=7", "userId=8")),
        "userId: comes twice with different values"
    );
    let of_draw = Fields::read(
        &[FieldName::User],
        Some("orderId=1&orderId=2&userId=u"),
        Content::Nothing,
    );
    assert!(of_draw.is_ok(), "what an endpoint does not take is ignored");
}

#[test]
fn a_report_is_an_object_within_the_body() {
    let read = |body: &str| -> Result<[String; 4], Failure> {
        let fields = object(body.as_bytes())?;
        let (app, user) = (fields.app()?, fields.reported_user()?);
        let (behaviour, number) = (fields.behaviour()?, fields.business_number()?);
        let texts = [
            app.as_str(),
            user.as_str(),
            behaviour.as_str(),
            number.as_str(),
        ];
        Ok(texts.map(str::to_owned))
    };
    let with = |data: &str| format!(r#"{{"appId":"shop","data":{data}}}"#);
    let good = r#"{"userId":7,"behaviorType":"openai_pay","outBusinessNo":"n-1","x":[{}]}"#;
    let expected = ["shop", "7", "openai_pay", "n-1"].map(str::to_owned);
    assert_eq!(read(&with(good)), Ok(expected.clone()));
    let spaced = with(&format!(" {good} ")).replace("\"data\"", "\"d\\u0061ta\" ");
    assert_eq!(read(&spaced), Ok(expected));
    for (data, fault) in [
        ("null", "userId: is missing"),
        ("[]", "data: must be an object"),
        ("\"x\"", "data: must be an object"),
        ("7", "data: must be an object"),
        ("{}", "userId: is missing"),
        (r#"{"data":{"userId":"u"}}"#, "userId: is missing"),
        (
            r#"{"userId":"u","userId":"v"}"#,
            "userId: comes twice with different values",
        ),
        (
            r#"{"userId":"u","behaviorType":"a b"}"#,
            "behaviorType: must be 1 to 16",
        ),
        (
            r#"{"userId":"u","behaviorType":"a","outBusinessNo":" 1"}"#,
            "outBusinessNo: must not begin or end with white space",
        ),
        (
            r#"{"userId":"u","behaviorType":"a","outBusinessNo":"1\u0000"}"#,
            "outBusinessNo: must not contain control characters",
        ),
        (
            r#"{"userId":"u","behaviorType":"a","outBusinessNo":{}}"#,
            "outBusinessNo: must be a string or a number",
        ),
    ] {
        let found = detail(read(&with(data)));
        assert!(found.starts_with(fault), "{data}: {found}");
    }
    let long = format!(
        r#"{{"userId":"u","behaviorType":"a","outBusinessNo":"{}"}}"#,
        "1".repeat(129)
    );
    assert_eq!(
        detail(read(&with(&long))),
        "outBusinessNo: must have at most 128 characters"
    );
    // One user outside of the object and another one in it are two.
    let two = r#"{"appId":"shop","userId":"v","data":{"userId":"u"}}"#;
    assert_eq!(
        detail(read(two)),
        "userId: comes twice with different values"
    );
    // A form cannot have an object.
    assert_eq!(detail(pairs("", "data=%7B%7D")), "data: must be an object");
}

#[test]
fn skus_and_entries_are_integers() {
    let fields = object(br#"{"sku":"9014","before":"12"}"#).expect("JSON");
    assert_eq!(fields.sku().map(SkuId::get), Ok(9_014));
    assert_eq!(fields.before_entry(), Ok(Some(12)));
    for bad in ["0", "-1", "1.5", "\"x\"", "9223372036854775808"] {
        let body = format!(r#"{{"sku":{bad},"before":{bad}}}"#);
        let fields = object(body.as_bytes()).expect("JSON");
        assert!(detail(fields.sku()).starts_with("sku: expected"), "{bad}");
        let fault = detail(fields.before_entry());
        assert!(fault.starts_with("before: expected"), "{bad}");
    }
}
