# Browsers' forms as ceph/s3-tests sends them, and the answers that it expects of S3: test_post_object_* in
# https://github.com/ceph/s3-tests/blob/master/s3tests/functional/test_s3.py
#
# It sends them by `requests.post(files=...)`, by which each field is a file with the field's name as its own.
# Three answers differ, since nothing here accepts what no policy allows:
#
# - forms without a policy, to buckets that anybody may write to, are rejected;
# - a checksum has to be in the policy as any field but those that AWS names:
#   https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html#sigv4-PolicyConditions
# - whether a checksum is right is for the origin to say.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test ':running';
use Test::Nginx::Socket 'no_plan';

our $files = sub { $_[0] =~ s/(; name="(?!file")([^"]+)")/$1; filename="$2"/gr };
our $mixed = sub { my %name = (key => 'kEy', acl => 'aCl', policy => 'pOLICy'); map { [$name{ $_->[0] } // $_->[0], $_->[1]] } @_ };

our $large = 'foo' x (1 << 20);
our $chunk = 'x' x ((4 << 20) + 200);

# What most of them have.
my %usual = (
    form_key => 'foo.txt', file => 'bar', filename => 'file',
    fields => ['field acl: private', 'field Content-Type: text/plain'],
    policy => {
        bucket => { bucket => 'bucket' }, key => ['starts-with', '$key', 'foo'], acl => { acl => 'private' },
        type => ['starts-with', '$Content-Type', 'text/plain'], length => ['content-length-range', 0, 1024],
    },
);

# Lines of a form that differs in so much: `policy` replaces conditions, or takes them out.
sub form {
    my ($answer, %o) = @_;
    my %policy = (%{ $usual{policy} }, %{ $o{policy} // {} });
    my %text   = map { $_ => $o{$_} // $usual{$_} } qw(form_key file filename);
    my $text   = join ' ', 'POST /bucket v2 conditions=none edit_body=$files', (map {"$_=$text{$_}"} sort keys %text),
        $o{options} // ();
    my @conditions = $o{document} ? "policy $o{document}"
        : map { 'condition ' . JSON::PP->new->encode($policy{$_}) } grep { $policy{$_} } sort keys %policy;
    return join '', "$text => $answer\n", map {"    $_\n"} @{ $o{fields} // $usual{fields} }, @{ $o{more} // [] }, @conditions;
}

my $taken = sub { my ($key, $data) = @_; "200 verified yes\\n.*field (?i:key): \Q$key\E\\n.*data $data" };
my $bar   = $taken->('foo.txt', 3);
my $dated = sub { my ($expiration, $conditions) = @_; sprintf '{"%s":"2099-01-01T00:00:00Z","%s":[{"bucket":"bucket"},["starts-with","$key","foo"],{"acl":"private"},["starts-with","$Content-Type","text/plain"],["content-length-range",0,1024]]}', $expiration, $conditions };
my $tags  = '<Tagging><TagSet><Tag><Key>0</Key><Value>0</Value></Tag><Tag><Key>1</Key><Value>1</Value></Tag></TagSet></Tagging>';

# Named as there.
our $forms = join '', (
    # authenticated_request
    form($bar),
    # authenticated_no_content_type
    form($bar, fields => ['field acl: private'], policy => { type => undef }),
    # authenticated_request_bad_access_key
    form('403 error InvalidAccessKeyId', options => 'key=foo'),
    # upload_larger_than_chunk
    form($taken->('foo.txt', 3 << 20), file => '$large', policy => { length => ['content-length-range', 0, 5 << 20] }),
    # set_key_from_filename
    form($bar, form_key => '${filename}', filename => 'foo.txt'),
    # ignored_header
    form($bar, more => ['field x-ignore-foo: bar']),
    # case_insensitive_condition_fields
    form($bar, options => 'edit_fields=$mixed', policy => {
        bucket => { bUcKeT => 'bucket' }, key => ['StArTs-WiTh', '$KeY', 'foo'], acl => { AcL => 'private' },
        type => ['StArTs-WiTh', '$CoNtEnT-TyPe', 'text/plain'],
    }),
    # escaped_field_values
    form($taken->('\$foo.txt', 3), form_key => '\$foo.txt', policy => { key => ['starts-with', '$key', '\$foo'] }),
    # success_redirect_action
    form($bar, more => ['field success_action_redirect: http://localhost/done'],
        policy => { redirect => ['eq', '$success_action_redirect', 'http://localhost/done'] }),
    # invalid_signature
    form('403 error SignatureDoesNotMatch', options => 'tamper', form_key => '\$foo.txt', policy => { key => ['starts-with', '$key', '\$foo'] }),
    # invalid_access_key
    form('403 error InvalidAccessKeyId', options => 'key=TNEILCDIKA'),
    # invalid_date_format
    form('400 error InvalidPolicyDocument', options => 'expiration="2099-01-01 00:00:00+00:00"'),
    # no_key_specified
    form('400 error UserKeyMustBeSpecified', options => 'without=key', policy => { key => undef }),
    # missing_signature
    form('400 error InvalidArgument', options => 'without=signature'),
    # missing_policy_condition
    form('403 error AccessDenied', policy => { bucket => undef }),
    # user_specified_header
    form("200 (?=.*field x-amz-meta-foo: barclamp\\n)verified yes", more => ['field x-amz-meta-foo: barclamp'],
        policy => { meta => ['starts-with', '$x-amz-meta-foo', 'bar'] }),
    # request_missing_policy_specified_field
    form('403 error AccessDenied', policy => { meta => ['starts-with', '$x-amz-meta-foo', 'bar'] }),
    # condition_is_case_sensitive, expires_is_case_sensitive
    form($bar, document => $dated->('expiration', 'conditions')),
    form('400 error InvalidPolicyDocument', document => $dated->('expiration', 'CONDITIONS')),
    form('400 error InvalidPolicyDocument', document => $dated->('EXPIRATION', 'conditions')),
    # expired_policy
    form('403 error AccessDenied Policy expired', options => 'expires=-6000'),
    # wrong_bucket
    form('403 error AccessDenied', form_key => '${filename}', filename => 'foo.txt', more => ['field bucket: other'],
        policy => { bucket => { bucket => 'other' } }),
    # invalid_request_field_value
    form('403 error AccessDenied', more => ['field x-amz-meta-foo: barclamp'], policy => { meta => ['eq', '$x-amz-meta-foo', ''] }),
    # missing_expires_condition, missing_conditions_list
    form('400 error InvalidPolicyDocument', document => '{"conditions":[{"bucket":"bucket"}]}'),
    form('400 error InvalidPolicyDocument', document => '{"expiration":"2099-01-01T00:00:00Z"}'),
    # upload_size_limit_exceeded, missing_content_length_argument, invalid_content_length_argument, upload_size_below_minimum
    form('400 error EntityTooLarge', policy => { length => ['content-length-range', 0, 0] }),
    form('400 error InvalidPolicyDocument', policy => { length => ['content-length-range', 0] }),
    form('400 error InvalidPolicyDocument', policy => { length => ['content-length-range', -1, 0] }),
    form('400 error EntityTooSmall', policy => { length => ['content-length-range', 512, 1000] }),
    # upload_size_rgw_chunk_size_bug
    form($taken->('foo.txt', (4 << 20) + 200), file => '$chunk', policy => { length => ['content-length-range', 4 << 20, 12 << 20] }),
    # empty_conditions
    form('400 error InvalidPolicyDocument', document => '{"expiration":"2099-01-01T00:00:00Z","conditions":[{}]}'),
    # tags_authenticated_request
    form("200 (?=.*field tagging: \Q$tags\E\\n)verified yes", more => ["field tagging: $tags"], policy => { tags => ['starts-with', '$tagging', ''] }),
    # upload_checksum: with a checksum that is in the policy, and with one that is not
    form("200 (?=.*field x-amz-checksum-sha256: abc=\\n)verified yes", more => ['field x-amz-checksum-sha256: abc='],
        policy => { checksum => ['starts-with', '$x-amz-checksum-sha256', ''] }),
    form('403 error AccessDenied Extra input fields: x-amz-checksum-sha256', more => ['field x-amz-checksum-sha256: abc=']),
    # set_success_code, set_invalid_success_code: the one is passed on, the other means nothing
    form("200 (?=.*field success_action_status: 201\\n)verified yes", more => ['field success_action_status: 201'],
        policy => { status => { success_action_status => '201' } }),
    form("200 (?!.*field success_action_status)verified yes", more => ['field success_action_status: 404'],
        policy => { status => { success_action_status => '404' } }),
    # anonymous_request, tags_anonymous_request
    form('403 error AccessDenied', options => 'without=policy,AWSAccessKeyId,signature'),
);

prepare();
run_tests();

__DATA__

=== TEST 1: read whole
--- location: s3_signature_v2 on; client_max_body_size 0;
--- form eval: $forms

=== TEST 2: streamed
--- location: s3_signature_v2 on; proxy_request_buffering off; client_body_buffer_size 1k;
--- form eval: $forms
