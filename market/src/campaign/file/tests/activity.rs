//! `[activity]`, `[chances]`, `[[stage]]` and `[[sku]]`.
use super::{Broken, check};

const BROKEN: &[Broken] = &[
    (
        "id = 7\n",
        "",
        &["line 2, activity.id: missing: expected an integer from 1 to 9223372036854775807"],
    ),
    (
        "id = 7\n",
        "id = 0\n",
        &["line 3, activity.id: expected an integer from 1 to 9223372036854775807, found 0"],
    ),
    (
        "name = \"Spring\"",
        "nmae = \"Spring\"",
        &[
            "line 2, activity.name: missing: expected a string of 1 to 64 characters",
            "line 4, activity.nmae: unknown key; did you mean \"name\"?",
        ],
    ),
    (
        "name = \"Spring\"",
        "name = \"Spring\"\nwhen_stock_away = \"refuse\"",
        &["line 5, activity.when_stock_away: is called \"when_stock_unavailable\" now"],
    ),
    (
        "\"Spring\"",
        "\"Spring\\n\"",
        &["line 4, activity.name: must not contain control characters"],
    ),
    (
        "2026-03-01T00:00:00+08:00",
        "2026-03-01T00:00:00",
        &[
            "line 5, activity.begins_at: expected a date and time with its offset, such as 2026-11-20T20:00:00+08:00, \
             found 2026-03-01T00:00:00 without an offset",
        ],
    ),
    (
        "2026-04-01",
        "2026-03-01",
        &["line 6, activity.ends_at: must be later than begins_at"],
    ),
    (
        "\"open\"",
        "\"opened\"",
        &[
            "line 7, activity.state: expected \"draft\" or \"create\" or \"open\" or \"close\", found the string \"opened\"",
        ],
    ),
    (
        "Asia/Shanghai",
        "Asia/Shangai",
        &[
            "line 8, activity.time_zone: \"Asia/Shangai\" is no time zone of the IANA database; \
             expected a name such as \"Asia/Shanghai\"",
        ],
    ),
    (
        "welcome = 3",
        "welcome = -1",
        &["line 10, chances.welcome: expected an integer from 0 to 2147483647, found -1"],
    ),
    (
        "[[sku]]",
        "[[stage]]\nchannel = \"c01\"\nsource = \"s01\"\n[[sku]]",
        &["line 17, stage[2].channel: this channel and source are listed already"],
    ),
    (
        "[strategy]",
        "[[sku]]\nid = 70\nstock = 1\nprice_minor = 1\nchances = 0\n[strategy]",
        &[
            "line 22, sku[2].id: must be unique, but 70 was there before",
            "line 25, sku[2].chances: expected an integer from 1 to 2147483647, found 0",
        ],
    ),
];

#[test]
fn each_fault_has_its_message_and_its_line() {
    check(BROKEN);
}
