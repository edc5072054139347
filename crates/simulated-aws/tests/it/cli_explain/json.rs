//! The whole explanation for programs.

use super::*;

#[tokio::test(start_paused = true)]
async fn the_same_as_json() {
    let (aws, running, _) = trapped().await;
    let ask = Ask { history: true, ..Ask::of(&aws) };
    insta::assert_snapshot!(serde_json::to_string_pretty(&ask.json(running.as_str()).await).unwrap(), @r#"
    {
      "account": "111122223333",
      "associations": {
        "calls": [],
        "from": "2026-08-23T12:10:04Z",
        "older_not_read": false,
        "region": "eu-west-1"
      },
      "at": "2026-11-21T12:10:04Z",
      "broken_since": {
        "at": "2026-11-21T12:00:01Z",
        "or_earlier": false
      },
      "by_hand": [
        {
          "commands": [
            "aws ec2 replace-iam-instance-profile-association --region eu-west-1 --association-id iip-assoc-00000000000000001 --iam-instance-profile Name=web-role"
          ],
          "do": "Re-associate with the instance profile of the same name:"
        }
      ],
      "credentials": "Those from before the break work until about 2026-11-21 18:00 UTC at the latest. Those of a role that was deleted, as here, stop sooner. New ones come once it is fixed. What an instance has in hand cannot be seen, only when EC2 took it.",
      "history": {
        "changes": [
          {
            "at": "2026-11-21T12:00:00Z",
            "call": "RemoveRoleFromInstanceProfile",
            "event_id": "00000000-0000-4000-8000-000000000003",
            "principal": "arn:aws:iam::111122223333:user/alice",
            "profile": "web-role",
            "role": "web-role",
            "source": "192.0.2.10",
            "tool": "AWS console"
          },
          {
            "at": "2026-11-21T12:00:01Z",
            "call": "DeleteInstanceProfile",
            "event_id": "00000000-0000-4000-8000-000000000006",
            "principal": "arn:aws:iam::111122223333:user/alice",
            "profile": "web-role",
            "role": null,
            "source": "192.0.2.10",
            "tool": "AWS console"
          },
          {
            "at": "2026-11-21T12:00:02Z",
            "call": "DeleteRole",
            "event_id": "00000000-0000-4000-8000-000000000009",
            "principal": "arn:aws:iam::111122223333:user/alice",
            "profile": null,
            "role": "web-role",
            "source": "192.0.2.10",
            "tool": "AWS console"
          },
          {
            "at": "2026-11-21T12:00:02Z",
            "call": "CreateRole",
            "event_id": "00000000-0000-4000-8000-00000000000c",
            "principal": "arn:aws:iam::111122223333:user/alice",
            "profile": null,
            "role": "web-role",
            "source": "192.0.2.10",
            "tool": "AWS console"
          },
          {
            "at": "2026-11-21T12:00:03Z",
            "call": "CreateInstanceProfile",
            "event_id": "00000000-0000-4000-8000-00000000000f",
            "principal": "arn:aws:iam::111122223333:user/alice",
            "profile": "web-role",
            "role": null,
            "source": "192.0.2.10",
            "tool": "AWS console"
          },
          {
            "at": "2026-11-21T12:00:04Z",
            "call": "AddRoleToInstanceProfile",
            "event_id": "00000000-0000-4000-8000-000000000012",
            "principal": "arn:aws:iam::111122223333:user/alice",
            "profile": "web-role",
            "role": "web-role",
            "source": "192.0.2.10",
            "tool": "AWS console"
          }
        ],
        "from": "2026-08-23T12:10:04Z",
        "older_not_read": []
      },
      "instances": [
        {
          "association": "iip-assoc-00000000000000001",
          "case": "stale",
          "ec2_credentials": {
            "answer": "issued",
            "at": "2026-11-21T12:00:00Z",
            "of_live_role": false,
            "read_from": "2026-11-20T12:10:04Z",
            "role_id": "AROAEXAMPLE0000000001"
          },
          "held_arn": "arn:aws:iam::111122223333:instance-profile/web-role",
          "held_id": "AIPAEXAMPLE0000000001",
          "in_force": true,
          "instance": "i-00000000000000001",
          "name": "web-1",
          "region": "eu-west-1",
          "ssm": {
            "last": "2026-11-21T12:05:00Z",
            "status": "ConnectionLost"
          },
          "state": "running"
        }
      ],
      "levels": {
        "alert": {
          "iam": null,
          "instances": [
            {
              "detail": "Reprofile runs at level alert and changes nothing",
              "instance": "i-00000000000000001",
              "step": null,
              "why_not": "level-alert"
            }
          ]
        },
        "reassociate": {
          "iam": null,
          "instances": [
            {
              "association": "iip-assoc-00000000000000001",
              "from": "AIPAEXAMPLE0000000001",
              "instance": "i-00000000000000001",
              "step": "replace",
              "to": "AIPAEXAMPLE0000000002"
            }
          ]
        },
        "relink": {
          "iam": null,
          "instances": [
            {
              "association": "iip-assoc-00000000000000001",
              "from": "AIPAEXAMPLE0000000001",
              "instance": "i-00000000000000001",
              "step": "replace",
              "to": "AIPAEXAMPLE0000000002"
            }
          ]
        },
        "restore": {
          "iam": null,
          "instances": [
            {
              "association": "iip-assoc-00000000000000001",
              "from": "AIPAEXAMPLE0000000001",
              "instance": "i-00000000000000001",
              "step": "replace",
              "to": "AIPAEXAMPLE0000000002"
            }
          ]
        }
      },
      "live": {
        "arn": "arn:aws:iam::111122223333:instance-profile/web-role",
        "created": "2026-11-21T12:00:03Z",
        "id": "AIPAEXAMPLE0000000002",
        "role": {
          "created": "2026-11-21T12:00:02Z",
          "id": "AROAEXAMPLE0000000002",
          "lets_ec2_use_it": "yes",
          "name": "web-role",
          "trust_policy": "lets EC2 use it"
        }
      },
      "profile": "web-role",
      "status": "broken",
      "successor": null,
      "unread_regions": [],
      "version": 1
    }
    "#);
}
