//! The calls that change an association: their requests, and the results of EC2's answers.

use super::*;

fn id() -> AssociationId {
    AssociationId::new("iip-assoc-0a1b2c3d4e5f60718").unwrap()
}

fn instance() -> InstanceId {
    InstanceId::new("i-0a1b2c3d4e5f60718").unwrap()
}

fn arn() -> ProfileArn {
    ProfileArn::parse(ARN).unwrap()
}

/// The answer to a call that makes an association.
fn made(operation: &str) -> Answer {
    let fields = association_fields("iip-assoc-0bbbbbbbbbbbbbbbb", "i-0a1b2c3d4e5f60718", "associating", ARN);
    answer(operation, &format!("<iamInstanceProfileAssociation>{fields}</iamInstanceProfileAssociation>"))
}

async fn replace(answer: Answer) -> (FakeHttp, Result<Association, AwsError>) {
    let http = FakeHttp::answering([answer]);
    let result = http.account().ec2().replace_association(&region(), &id(), &arn()).await;
    (http, result)
}

#[tokio::test]
async fn a_replace_names_association_and_arn_and_answers_with_the_new_association() {
    let (http, new) = replace(made("ReplaceIamInstanceProfileAssociation")).await;
    let new = new.unwrap();
    assert_eq!((new.id.as_str(), new.state), ("iip-assoc-0bbbbbbbbbbbbbbbb", State::Associating));
    assert_snapshot!(http.only().form, @r"
    Action=ReplaceIamInstanceProfileAssociation
    Version=2016-11-15
    IamInstanceProfile.Arn=arn:aws:iam::111122223333:instance-profile/app/web
    AssociationId=iip-assoc-0a1b2c3d4e5f60718
    ");
}

#[tokio::test]
async fn a_replace_whose_answer_cannot_be_read_is_an_error() {
    let (_, result) = replace(answer("ReplaceIamInstanceProfileAssociation", "")).await;
    assert_snapshot!(result.unwrap_err(), @"ec2:ReplaceIamInstanceProfileAssociation: MalformedAnswer: the answer can't be read: it has no iamInstanceProfileAssociation");
}

#[tokio::test]
async fn errors_that_ec2_does_not_model_are_known_by_code_and_message() {
    for (code, message, reason) in [
        (
            "InvalidParameterValue",
            "Value (web) for parameter iamInstanceProfile.arn is invalid. Invalid IAM Instance Profile ARN",
            ErrorKind::NotPropagated,
        ),
        ("IncorrectState", "The association iip-assoc-0a is not the active association", ErrorKind::StateChanged),
        (
            "InvalidAssociationID.NotFound",
            "An invalid association-id of 'iip-assoc-0a' was given",
            ErrorKind::StateChanged,
        ),
        ("UnauthorizedOperation", "You are not authorized to perform this operation.", ErrorKind::Denied),
        ("OptInRequired", "You are not subscribed to this service.", ErrorKind::RegionDisabled),
    ] {
        let error = replace(ec2_error(400, code, message)).await.1.unwrap_err();
        assert_eq!((error.code.as_str(), error.message.as_str(), error.reason), (code, message, reason));
        assert_eq!(error.operation, "ec2:ReplaceIamInstanceProfileAssociation");
    }
}

async fn associate(answer: Answer) -> (FakeHttp, Result<Association, AwsError>) {
    let http = FakeHttp::answering([answer]);
    let result = http.account().ec2().associate(&region(), &instance(), &arn()).await;
    (http, result)
}

async fn disassociate(answer: Answer) -> (FakeHttp, Result<(), AwsError>) {
    let http = FakeHttp::answering([answer]);
    let result = http.account().ec2().disassociate(&region(), &id()).await;
    (http, result)
}

#[tokio::test]
async fn an_associate_names_instance_and_arn_and_answers_with_the_new_association() {
    let (http, new) = associate(made("AssociateIamInstanceProfile")).await;
    let new = new.unwrap();
    assert_eq!((new.id.as_str(), new.state), ("iip-assoc-0bbbbbbbbbbbbbbbb", State::Associating));
    assert_eq!(http.only().host, "ec2.eu-west-1.amazonaws.com");
    assert_snapshot!(http.only().form, @"
    Action=AssociateIamInstanceProfile
    Version=2016-11-15
    IamInstanceProfile.Arn=arn:aws:iam::111122223333:instance-profile/app/web
    InstanceId=i-0a1b2c3d4e5f60718
    ");
}

#[tokio::test]
async fn an_associate_whose_answer_cannot_be_read_is_an_error() {
    let (_, result) = associate(answer("AssociateIamInstanceProfile", "")).await;
    assert_eq!(result.unwrap_err().code, "MalformedAnswer");
}

#[tokio::test]
async fn an_associate_that_the_instances_state_forbids_is_read_again() {
    for (code, message) in [
        ("IncorrectState", "There is an existing association for instance i-0a1b2c3d4e5f60718"),
        ("IncorrectInstanceState", "The instance 'i-0a1b2c3d4e5f60718' is not in the 'running' or 'stopped' states."),
    ] {
        let error = associate(ec2_error(400, code, message)).await.1.unwrap_err();
        assert_eq!(
            (error.operation, error.reason),
            ("ec2:AssociateIamInstanceProfile", ErrorKind::StateChanged),
            "{code}"
        );
    }
}

#[tokio::test]
async fn a_disassociate_names_the_association() {
    let fields = association_fields(id().as_str(), instance().as_str(), "disassociating", ARN);
    let body = format!("<iamInstanceProfileAssociation>{fields}</iamInstanceProfileAssociation>");
    let (http, result) = disassociate(answer("DisassociateIamInstanceProfile", &body)).await;
    assert_eq!(result, Ok(()));
    assert_eq!(http.only().host, "ec2.eu-west-1.amazonaws.com");
    assert_snapshot!(http.only().form, @"
    Action=DisassociateIamInstanceProfile
    Version=2016-11-15
    AssociationId=iip-assoc-0a1b2c3d4e5f60718
    ");
}

#[tokio::test]
async fn a_disassociate_of_an_association_that_is_over_is_read_again() {
    let message = "An invalid association-id of 'iip-assoc-0a1b2c3d4e5f60718' was given";
    let error = disassociate(ec2_error(400, "InvalidAssociationID.NotFound", message)).await.1.unwrap_err();
    assert_eq!((error.operation, error.reason), ("ec2:DisassociateIamInstanceProfile", ErrorKind::StateChanged));
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_not_sent_again() {
    for lost in [Answer::Refused, ec2_error(503, "RequestLimitExceeded", "Request limit exceeded.")] {
        assert_eq!(replace(lost.clone()).await.0.sent().len(), 1);
        assert_eq!(associate(lost.clone()).await.0.sent().len(), 1);
        assert_eq!(disassociate(lost).await.0.sent().len(), 1);
    }
}
