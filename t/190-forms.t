# Browsers' forms: verified by their policy, written and signed again for the
# origin, which hears nothing of one that is rejected.
#
# A long file: its forms are sent buffered and streamed, whole and in pieces.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test ':running';
use IO::Socket::INET;
use Time::HiRes ();
use Test::Nginx::Socket 'no_plan';

our $large = join '', map { chr(33 + $_ * 7919 % 90) } 1 .. 300_000;
our $hash  = Digest::SHA::sha256_hex($large);

our $boundary = 'oOoBoundaryoOo';
$ENV{TEST_NGINX_UNBUFFERED} = 'proxy_request_buffering off; client_body_buffer_size 1k;';

# Values that are too long to be written out.
our $brackets   = '[' x 40_000;
our $expiration_brackets = '{"expiration":' . $brackets;
our $long_key   = 'k' x 1025;
our $long_name  = 'f' x 2000;
our $many_names = '${filename}' x 100;
our $long_field = 'a' x 65_536;
our $field_200  = 'b' x 200;
our $almost_end = "\r\n--oOoBoundaryoO\r\n--\r\n-\r\r\n--oOoBoundaryoO";

# What sed cannot do.
our $two_files  = sub { $_[0] =~ s/(--$boundary\r\n[^\r]*name="file".*?)--$boundary--/$1$1--$boundary--/sr };
our $submit     = sub { $_[0] =~ s/--$boundary--\r\n/--$boundary\r\nContent-Disposition: form-data; name="submit"\r\n\r\n@{['x' x 50_000]}\r\n--$boundary--\r\n/r };
our $as_files   = sub { $_[0] =~ s/(; name="(?!file")([^"]+)")/$1; filename="$2"\r\nContent-Type: application\/octet-stream/gr };
our $blob_after = sub { $_[0] =~ s/--$boundary--\r\n/--$boundary\r\nContent-Disposition: form-data; name="more"; filename="blob"\r\n\r\nx\r\n--$boundary--\r\n/r };
our $upper_case = sub { map { [uc $_->[0], $_->[1]] } @_ };
our $unreadable = sub {
    my %field = map {@$_} @_;
    my $scope = $field{'x-amz-credential'} =~ s{^[^/]+/}{}r;
    my %new = (policy => '%%%%', 'x-amz-signature' => S3Sign::form_signature({ S3Sign::options() }, $scope, '%%%%'));
    return map { [$_->[0], $new{ $_->[0] } // $_->[1]] } @_;
};

# Each breaks one rule.
our $bad = <<'END';
# who signed it
POST /bucket tamper                            => 403 error SignatureDoesNotMatch signature
# "added" is {"expiration":"2099-01-01T00:00:00Z","conditions":[]}
POST /bucket without=policy                    => 403 error SignatureDoesNotMatch signature
    added policy: eyJleHBpcmF0aW9uIjoiMjA5OS0wMS0wMVQwMDowMDowMFoiLCJjb25kaXRpb25zIjpbXX0=
POST /bucket without=x-amz-signature           => 403 error SignatureDoesNotMatch signature
    added x-amz-signature:
POST /bucket key=AKIDNOBODY                    => 403 error InvalidAccessKeyId Access Key
POST /bucket without=x-amz-algorithm,x-amz-credential,x-amz-date,x-amz-signature,policy  => 403 error AccessDenied Access Denied
POST /bucket without=x-amz-algorithm,x-amz-credential,x-amz-date,x-amz-signature         => 403 error AccessDenied Access Denied
POST /bucket without=x-amz-algorithm           => 400 error InvalidArgument named 'x-amz-algorithm'
POST /bucket without=x-amz-credential          => 400 error InvalidArgument named 'x-amz-credential'
POST /bucket without=x-amz-date                => 400 error InvalidArgument named 'x-amz-date'
POST /bucket without=x-amz-signature           => 400 error InvalidArgument named 'x-amz-signature'
POST /bucket without=policy                    => 400 error InvalidArgument named 'policy'
POST /bucket algorithm=AWS4-HMAC-SHA1          => 400 error InvalidArgument algorithm must be
POST /bucket scope=us-east-1/s3/aws4_request   => 400 error InvalidArgument Credential is mal-formed
POST /bucket service=s4                        => 400 error InvalidArgument incorrect service
POST /bucket terminator=aws3_request           => 400 error InvalidArgument incorrect terminal
POST /bucket scope_date=20200101               => 400 error InvalidArgument not the same as X-Amz-Date
POST /bucket date=2026-01-01T00:00:00Z scope_date=20260101   => 400 error InvalidArgument ISO8601
POST /bucket skew=9000                         => 403 error AccessDenied not valid yet
POST /bucket                                   => 400 error InvalidArgument Only one auth mechanism
    added AWSAccessKeyId: AKIDCLIENT
POST /bucket v2                                => 400 error InvalidRequest use AWS4-HMAC-SHA256
# the policy itself
POST /bucket expires=-1                        => 403 error AccessDenied Policy expired
POST /bucket                                   => 400 error InvalidPolicyDocument could not be read
    policy x
POST /bucket                                   => 400 error InvalidPolicyDocument could not be read
    policy {"conditions":[]}
POST /bucket                                   => 400 error InvalidPolicyDocument could not be read
    policy {"expiration":"2099-01-01T00:00:00Z"}
POST /bucket                                   => 400 error InvalidPolicyDocument could not be read
    policy {"expiration":"2099-01-01T00:00:00Z","conditions":[],"x":1}
POST /bucket                                   => 400 error InvalidPolicyDocument could not be read
    policy {"expiration":"2099-01-01T00:00:00Z","conditions":[],"conditions":[]}
POST /bucket                                   => 400 error InvalidPolicyDocument could not be read
    policy {"expiration":"2000-01-01T00:00:00Z","conditions":[],"expiration":"2099-01-01T00:00:00Z"}
POST /bucket                                   => 400 error InvalidPolicyDocument could not be read
    policy {"expiration":4070908800,"conditions":[]}
POST /bucket expiration={2099-01-01,2099-01-01T00:00:00,2099-01-01T00:00:00+01:00,2099-02-30T00:00:00Z}  => 400 error InvalidPolicyDocument could not be read
POST /bucket                                   => 400 error InvalidPolicyDocument could not be read
    condition {}
POST /bucket                                   => 400 error InvalidPolicyDocument could not be read
    condition {"acl": "private", "x": "y"}
POST /bucket                                   => 400 error InvalidPolicyDocument could not be read
    condition {"acl": 1}
POST /bucket                                   => 400 error InvalidPolicyDocument could not be read
    condition "acl"
POST /bucket                                   => 400 error InvalidPolicyDocument could not be read
    condition ["in", "$acl", "private"]
POST /bucket                                   => 400 error InvalidPolicyDocument could not be read
    condition ["eq", "key", "key"]
POST /bucket                                   => 400 error InvalidPolicyDocument could not be read
    condition ["eq", "$key"]
POST /bucket                                   => 400 error InvalidPolicyDocument could not be read
    condition ["eq", "$key", "key", "key"]
POST /bucket                                   => 400 error InvalidPolicyDocument could not be read
    condition ["content-length-range", 0]
POST /bucket                                   => 400 error InvalidPolicyDocument could not be read
    condition ["content-length-range", -1, 10]
POST /bucket                                   => 400 error InvalidPolicyDocument could not be read
    condition ["content-length-range", "0x1", 10]
POST /bucket policy={$brackets,$expiration_brackets}         => 400 error InvalidPolicyDocument could not be read
POST /bucket edit_fields=$unreadable           => 400 error InvalidPolicyDocument could not be read
# the form is what the policy says
POST /bucket conditions=none                   => 403 error AccessDenied Condition failed: \[&quot;eq&quot;, &quot;\$key&quot;, &quot;other
    condition {"bucket": "bucket"}
    condition {"key": "other"}
POST /bucket conditions=none                   => 403 error AccessDenied Condition failed: .*starts-with
    condition {"bucket": "bucket"}
    condition ["starts-with", "$key", "user/"]
POST /bucket                                   => 403 error AccessDenied Condition failed: .*acl
    condition {"acl": "private"}
POST /bucket                                   => 403 error AccessDenied Condition failed: .*starts-with.*\$acl
    condition ["starts-with", "$acl", ""]
POST /bucket conditions=none                   => 403 error AccessDenied Condition failed: .*bucket
    condition {"bucket": "other"}
    condition ["starts-with", "$key", ""]
POST /bucket conditions=none                   => 403 error AccessDenied Extra input fields: bucket
    condition ["starts-with", "$key", ""]
POST /bucket unlisted=key                      => 403 error AccessDenied Extra input fields: key
POST /bucket                                   => 403 error AccessDenied Extra input fields: acl
    added acl: public-read
POST /bucket unlisted=x-amz-meta-a             => 403 error AccessDenied Extra input fields: x-amz-meta-a
    field x-amz-meta-a: b
POST /bucket                                   => 403 error AccessDenied Extra input fields: success_action_redirect
    added success_action_redirect: http://evil/
POST /bucket                                   => 400 error InvalidToken
    added x-amz-security-token: x
POST /bucket                                   => 403 error AccessDenied Extra input fields: submit
    added submit: x
POST /bucket unlisted=Content-Type             => 403 error AccessDenied Condition failed: .*Content-Type
    field Content-Type: image/png,text/html
    condition ["starts-with", "$Content-Type", "image/"]
POST /bucket form_key=${filename} filename=b.txt conditions=none   => 403 error AccessDenied Condition failed: .*a.txt
    condition {"bucket": "bucket"}
    condition {"key": "a.txt"}
POST /bucket form_key=${filename} filename=b.txt                   => 403 error AccessDenied Condition failed: .*filename
POST /bucket                                   => 400 error EntityTooLarge exceeds
    condition ["content-length-range", 0, 4]
POST /bucket                                   => 400 error EntityTooSmall smaller
    condition ["content-length-range", 6, 10]
POST /bucket                                   => 400 error EntityTooSmall smaller
    condition ["content-length-range", "5", "10"]
    condition ["content-length-range", 6, 100]
# the fields
POST /bucket without=key conditions=none       => 400 error UserKeyMustBeSpecified field
    condition {"bucket": "bucket"}
POST /bucket form_key=""                       => 400 error UserKeyMustBeSpecified field
POST /bucket form_key=${filename} filename=a/ unlisted=key         => 400 error UserKeyMustBeSpecified field
    condition ["starts-with", "$key", ""]
POST /bucket form_key=$long_key                => 400 error KeyTooLongError too long
POST /bucket                                   => 400 error InvalidArgument repeated
    added key: key
POST /bucket                                   => 400 error InvalidArgument repeated
    added KEY: other
POST /bucket                                   => 400 error InvalidArgument repeated
    added policy: e30=
POST /bucket                                   => 400 error InvalidArgument repeated
    added X-Amz-Signature: x
POST /bucket                                   => 400 error InvalidArgument invalid name or value
    field x-amz-meta-a: "a\r\nb"
POST /bucket form_key="a\0b"                   => 400 error InvalidArgument invalid name or value
POST /bucket form_key="\xff" unlisted=key      => 400 error InvalidArgument invalid name or value
    condition ["starts-with", "$key", ""]
POST /bucket form_key=a--oOoBoundaryoOo        => 400 error InvalidArgument invalid name or value
POST /bucket                                   => 400 error InvalidArgument invalid name or value
    field x-amz-copy-source: /other/key
POST /bucket                                   => 400 error InvalidArgument invalid name or value
    field X_Amz_Copy_Source: /other/key
POST /bucket form_key=${filename} filename=${filename} unlisted=key  => 400 error InvalidArgument invalid name or value
    condition ["starts-with", "$key", ""]
POST /bucket unlisted=bucket                   => 400 error InvalidArgument invalid name or value
    field bucket: other
    condition ["starts-with", "$bucket", ""]
POST /bucket                                   => 400 error MaxPostPreDataLengthExceededError too large
    field x-amz-meta-a: $long_field
POST /bucket                                   => 400 error MaxPostPreDataLengthExceededError too large
    field x-ignore-{1..140}: 1
POST /bucket form_key=$many_names filename=$long_name              => 400 error MaxPostPreDataLengthExceededError too large
# its shape
POST /bucket edit_body=s|--oOoBoundaryoOo\r\n[^\r]*name="file".*--oOoBoundaryoOo--|--oOoBoundaryoOo--|  => 400 error IncorrectNumberOfFilesInPostRequest one file
POST /bucket edit_body=$two_files                                  => 400 error IncorrectNumberOfFilesInPostRequest one file
POST /bucket edit_body=s|name="file"|name="upload"|                => 400 error IncorrectNumberOfFilesInPostRequest one file
POST /bucket edit_body=s|--\r\n\z||                                => 400 error MalformedPOSTRequest not well-formed
POST /bucket edit_body=s|\r\n--oOoBoundaryoOo--\r\n\z||            => 400 error MalformedPOSTRequest not well-formed
POST /bucket edit_body=s|^|preamble\r\n|                           => 400 error MalformedPOSTRequest not well-formed
POST /bucket edit_body=s|^|\r\n\r\n|                               => 400 error MalformedPOSTRequest not well-formed
POST /bucket edit_body=s|^.||                                      => 400 error MalformedPOSTRequest not well-formed
POST /bucket edit_body=s|.*||                                      => 400 error MalformedPOSTRequest not well-formed
POST /bucket edit_body=s|\r\n|\n|                                  => 400 error MalformedPOSTRequest not well-formed
POST /bucket edit_body=s|\r\n\r\n|\n\n|                            => 400 error MalformedPOSTRequest not well-formed
POST /bucket edit_body=s|name="key"\r\n|name="key"\r\n folded: x\r\n| => 400 error MalformedPOSTRequest not well-formed
POST /bucket edit_body=s|name="key"|name="key"; name="acl"|        => 400 error MalformedPOSTRequest not well-formed
POST /bucket edit_body=s|name="key"|filename="x"|                  => 400 error MalformedPOSTRequest not well-formed
POST /bucket edit_body=s|name="key"|name="key|                     => 400 error MalformedPOSTRequest not well-formed
POST /bucket edit_body=s|name="key"|name="k\"ey"|                  => 400 error MalformedPOSTRequest not well-formed
POST /bucket edit_body=s|name="key"|name=""|                       => 400 error MalformedPOSTRequest not well-formed
POST /bucket edit_body=s|name="key"|name="k\0y"|                   => 400 error MalformedPOSTRequest not well-formed
POST /bucket edit_body=s|name="key"|name="key" x|                  => 400 error MalformedPOSTRequest not well-formed
POST /bucket edit_body=s|form-data; name="key"|attachment; name="key"| => 400 error MalformedPOSTRequest not well-formed
POST /bucket edit_body=s|Content-Disposition: [^\r]*"key"\r\n||    => 400 error MalformedPOSTRequest not well-formed
POST /bucket edit_body=s|Content-Disposition|Content Disposition|  => 400 error MalformedPOSTRequest not well-formed
POST /bucket edit_body=s|Content-Disposition: [^\r]*\r\n|Content-Disposition: form-data; name="acl"\r\nContent-Disposition: form-data; name="key"\r\n| => 400 error MalformedPOSTRequest not well-formed
POST /bucket edit_body=s|name="key"\r\n|name="key"\r\nContent-Transfer-Encoding: base64\r\n| => 400 error MalformedPOSTRequest not well-formed
POST /bucket edit_body=s|text/x-file|multipart/mixed; boundary=x|  => 400 error MalformedPOSTRequest not well-formed
POST /bucket edit_body=s|\r\n\r\nkey\r\n|\r\n\r\n|                 => 400 error MalformedPOSTRequest not well-formed
POST /bucket edit_body=s|hello|--oOoBoundaryoOo|                   => 400 error MalformedPOSTRequest not well-formed
POST /bucket edit_body=s|--oOoBoundaryoOo\r\n|--oOoBoundaryoOo \r\n| => 400 error MalformedPOSTRequest not well-formed
POST /bucket edit_body=s|--oOoBoundaryoOo\r\n|--oOoBoundaryoOo\r\n\r\n| => 400 error MalformedPOSTRequest not well-formed
POST /bucket content_type="multipart/form-data"                    => 400 error MalformedPOSTRequest not well-formed
POST /bucket content_type="multipart/form-data; boundary="         => 400 error MalformedPOSTRequest not well-formed
POST /bucket content_type="multipart/form-data; boundary=\"\""     => 400 error MalformedPOSTRequest not well-formed
POST /bucket content_type="multipart/form-data; boundary=oOoBoundaryoOo; boundary=x" => 400 error MalformedPOSTRequest not well-formed
POST /bucket content_type="multipart/form-data; boundary=\"oOoBoundaryoOo" => 400 error MalformedPOSTRequest not well-formed
POST /bucket content_type="multipart/form-data; boundary=oOoBoundaryoOo; x=y" => 400 error MalformedPOSTRequest not well-formed
POST /bucket content_type="multipart/form-data; boundary=oOoBoundaryoOo,x" => 400 error MalformedPOSTRequest not well-formed
POST /bucket content_type="multipart/form-data; boundary=other"    => 400 error MalformedPOSTRequest not well-formed
POST /bucket content_type="multipart/form-data; boundary=bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb" => 400 error MalformedPOSTRequest not well-formed
POST /bucket content_type="multipart/form-dataX; boundary=x"       => 400 error MalformedPOSTRequest not well-formed
# its head
POST /bucket/key                               => 405 error MethodNotAllowed method
POST /                                         => 405 error MethodNotAllowed method
POST /bucket?delete                            => 403 error AccessDenied query parameters
POST /bucket                                   => 403 error AccessDenied headers present
    x-amz-acl: public-read
POST /bucket                                   => 501 error NotImplemented not implemented
    content-md5: XUFAKrxLKna5cZ2REBfFkg==
END

# And one of which the origin hears if it is streamed.
our $too_large = <<'END';
POST /bucket file=$large                       => 400 error EntityTooLarge exceeds
    condition ["content-length-range", 0, 299999]
END

# And these break none: what an origin says of their files, the forms without a length, and the others.
our $checksum = "(?=.*field x-amz-checksum-crc32: NhCmhg==\n)(?=.*field x-amz-checksum-algorithm: CRC32\n)";
our ($hello, $nothing, $whole, $odd) = map { "verified yes\n.*field (?i:key): key\n.*data " . join ' ', length, Digest::SHA::sha256_hex($_) }
    'hello', '', $large, $almost_end;
our $chunked = <<'END';
POST /bucket te=100                            => 200 $hello
POST /bucket te=5000 file=$large               => 200 $whole
END
our $good = <<'END';
POST /bucket                                   => 200 $hello
POST /bucket/                                  => 200 $hello
POST /bucket filename=none                     => 200 $hello
POST /bucket file=""                           => 200 $nothing
POST /bucket file=$large                       => 200 $whole
POST /bucket file=$almost_end                  => 200 $odd
POST /bucket unlisted=x-ignore-a               => 200 $hello
    field x-ignore-a: b
    field x-ignore-a: c
POST /bucket unlisted=bucket                   => 200 $hello
    field bucket: bucket
POST /bucket                                   => 200 $hello
    field Content-Type: image/png
    field acl: private
    field success_action_status: 201
    field x-amz-meta-a: b
POST /bucket                                   => 200 $hello
    field tagging: "<Tagging>\r\n</Tagging>"
POST /bucket unlisted=Content-Type             => 200 $hello
    field Content-Type: image/png,image/gif
    condition ["starts-with", "$content-type", "image/"]
POST /bucket unlisted=key                      => 200 $hello
    condition ["starts-with", "$Key", "k"]
POST /bucket                                   => 200 $hello
    condition ["content-length-range", 5, 5]
    condition ["content-length-range", "0", "10"]
POST /bucket eol="\r\n"                        => 200 $hello
    field x-amz-meta-a: $field_200
POST /bucket edit_fields=$upper_case           => 200 $hello
POST /bucket edit_fields=$upper_case edit_body=$as_files            => 200 $hello
POST /bucket edit_body=$blob_after             => 200 $hello
POST /bucket                                   => 200 $checksum.*$hello
    field x-amz-checksum-algorithm: CRC32
    field x-amz-checksum-crc32: NhCmhg==
POST /bucket edit_body=$submit                 => 200 $hello
POST /bucket edit_body=s|--oOoBoundaryoOo--\r\n|--oOoBoundaryoOo--|                => 200 $hello
POST /bucket edit_body=s|--oOoBoundaryoOo--\r\n|--oOoBoundaryoOo--\r\nepilogue|    => 200 $hello
POST /bucket edit_body=s|^|\r\n|               => 200 $hello
POST /bucket edit_body=s|name="key"\r\n|name=key\r\nContent-Transfer-Encoding: binary\r\nContent-Length: 3\r\n|  => 200 $hello
POST /bucket content_type="Multipart/Form-Data; charset=utf-8; boundary=\"oOoBoundaryoOo\""  => 200 $hello
POST /bucket expiration=2099-01-01T00:00:00Z           => 200 $hello
POST /bucket expiration=2099-01-01T00:00:00.000000Z    => 200 $hello
END

# A file's name, and what comes of the key "user/${filename}".
our $names = <<'END';
POST /bucket form_key=user/${filename} unlisted=key filename=photo.jpg   => 200 verified yes\n.*field key: user/photo\.jpg\n
    condition ["starts-with", "$key", "user/"]
POST /bucket form_key=user/${filename} unlisted=key filename=C:\dir\x.txt   => 200 verified yes\n.*field key: user/x\.txt\n
    condition ["starts-with", "$key", "user/"]
POST /bucket form_key=user/${filename} unlisted=key filename=/home/me/x.txt   => 200 verified yes\n.*field key: user/x\.txt\n
    condition ["starts-with", "$key", "user/"]
POST /bucket form_key=user/${filename} unlisted=key filename="a b+c%.txt"   => 200 verified yes\n.*field key: user/a b\+c%\.txt\n
    condition ["starts-with", "$key", "user/"]
POST /bucket form_key=user/${filename} unlisted=key filename="gr\xc3\xbc\xc3\x9fe \xf0\x9f\x98\x80.txt"   => 200 verified yes\n.*field key: user/gr\xc3\xbc\xc3\x9fe \xf0\x9f\x98\x80\.txt\n
    condition ["starts-with", "$key", "user/"]
POST /bucket form_key=user/${filename} unlisted=key filename=""   => 200 verified yes\n.*field key: user/\n
    condition ["starts-with", "$key", "user/"]
POST /bucket form_key=user/${filename} unlisted=key filename=it's   => 200 verified yes\n.*field key: user/it's\n
    condition ["starts-with", "$key", "user/"]
POST /bucket form_key=user/${filename} unlisted=key filename=%22quoted%22.txt   => 200 verified yes\n.*field key: user/%22quoted%22\.txt\n
    condition ["starts-with", "$key", "user/"]
END

# Forms in Signature Version 2.
our $v2 = <<'END';
POST /bucket v2                           => 200 verified yes
POST /bucket v2 file=$large               => 200 verified yes.*data 300000 $hash
POST /bucket v2 tamper                    => 403 error SignatureDoesNotMatch
POST /bucket v2 key=AKIDNOBODY            => 403 error InvalidAccessKeyId
POST /bucket v2 without=AWSAccessKeyId    => 400 error InvalidArgument 'AWSAccessKeyId'
POST /bucket v2 without=signature         => 400 error InvalidArgument 'signature'
POST /bucket v2 without=policy            => 400 error InvalidArgument 'policy'
POST /bucket v2                           => 403 error AccessDenied Extra input fields: acl
    added acl: private
POST /bucket v2 expires=-1                => 403 error AccessDenied expired
END

# Forms of a client that may write to mine-*, and of one that may read.
our $grants = <<'END';
POST /mine-1              => 200 verified yes
POST /yours               => 403 error AccessDenied Access Denied
POST /mine-1 key=AKIDR    => 403 error AccessDenied Access Denied
POST /mine%2D2            => 200 verified
END

# Each is rejected for what is after the beginning of its file, of which 3,000 bytes are "x".
sub edit { my ($from, $to) = @_; sub { my $n = $_[0] =~ s/$from/$to/sr; die "$from is not there" if $n eq $_[0]; $n } }
my $trailing = sub { my $part = shift; edit(qr/--$boundary--/, "--$boundary\r\n$part\r\n--$boundary--") };
our @late = map { [$_->[0], file => 'x' x 3000, @$_[1 .. $#$_]] } (
    (map { ['EntityTooLarge', more => [['content-length-range', 0, $_]]] } 10, 2999),
    (map { ['EntityTooSmall', more => [['content-length-range', $_, 9999]]] } 3001, 4000),
    ['IncorrectNumberOfFilesInPostRequest', edit_body => $trailing->(qq(Content-Disposition: form-data; name="file"; filename="b"\r\n\r\nb))],
    ['MaxPostPreDataLengthExceededError', edit_body => $trailing->(qq(Content-Disposition: form-data; name="a"\r\nx: ) . 'x' x 5000 . "\r\n\r\na")],
    (map { ['MalformedPOSTRequest', edit_body => $_] }
        $trailing->("nothing: known\r\n\r\na"), $trailing->("\r\na"), $trailing->(qq(Content-Disposition: form-data; name="a"\r\n\r\n--$boundary)),
        edit(qr/--$boundary--/, "--$boundary "), edit(qr/--$boundary--/, "--$boundary-"), edit(qr/\r\n--$boundary--/, ''),
        map { my $count = $_; sub { substr $_[0], 0, -$count } } 3 .. 40),
);

# A form in two pieces, cut so many bytes after the beginning of its file.
sub cut {
    my ($at, %o) = @_;
    my $form = raw("POST $o{path}", S3Sign::v4_form(%o));
    $form =~ /filename="[^"]*"\r\n[^\r]*\r\n\r\n/ or die 'no file';
    return [unpack 'a' . ($+[0] + $at) . ' a*', $form];
}

# Sends lists of pieces, each over a connection of its own, as many at a time as one worker takes, with a
# pause after each piece; the answers. With `leave` the connections are closed then.
sub exchange {
    my ($lists, %o) = @_;
    my (@answers, @left);
    for (@left = @$lists; my @batch = splice @left, 0, 20;) {
        my @sockets = map { IO::Socket::INET->new("127.0.0.1:$ENV{TEST_NGINX_SERVER_PORT}") // die "connect: $!" } @batch;
        while (grep {@$_} @batch) {
            for my $i (0 .. $#batch) {
                my ($piece, @rest) = @{ $batch[$i] } or next;
                $batch[$i] = \@rest;
                print { $sockets[$i] } $piece;
                $sockets[$i]->flush;
            }
            Time::HiRes::sleep($o{pause} // 0.01);
        }
        push @answers, map { local $/; $o{leave} ? '' : readline($_) // '' } @sockets;
    }
    return @answers;
}

# Dies of the first answer that is not as wanted.
sub all_like {
    my ($answers, @wanted) = @_;
    die @$answers . ' answers, not ' . @wanted if @$answers != @wanted;
    for my $i (0 .. $#wanted) {
        $answers->[$i] =~ $wanted[$i] or die "answer $i is not like $wanted[$i]: " . ($answers->[$i] =~ s{\s+}{ }gr || "nothing");
    }
}

# An upstream of TEST_NGINX_A and B in which nobody listens at the first.
our $dead = "upstream u { server $ENV{TEST_NGINX_DEAD}; server $ENV{TEST_NGINX_B} backup;
    s3_origin $ENV{TEST_NGINX_DEAD} $ENV{TEST_NGINX_CRED_A}; s3_origin $ENV{TEST_NGINX_B} $ENV{TEST_NGINX_CRED_B}; }";

prepare();
run_tests();

__DATA__

=== TEST 1: good ones, in memory
--- location: client_body_buffer_size 2m;
--- form eval: $good . $chunked

=== TEST 2: in a file
--- location: client_body_in_file_only clean;
--- form eval: $good . $chunked

=== TEST 3: in a file by sendfile
--- location: client_body_buffer_size 8k; sendfile on;
--- form eval: $good . $chunked

=== TEST 4: bad ones
--- location: client_body_buffer_size 8k;
--- form eval: $bad . $too_large
--- no_error_log
connect to 127.0.0.1

=== TEST 5: ${filename} in the key
--- http_config
    log_format key '$s3_key|$s3_bucket|$s3_operation|$s3_auth|$s3_access_key|$s3_error';
--- server: access_log logs/access.log key;
--- form eval: $names
--- access_log
user/photo.jpg|bucket|PostObject|post-policy|AKIDCLIENT|-
user/x.txt|bucket|PostObject|post-policy|AKIDCLIENT|-
user/x.txt|bucket|PostObject|post-policy|AKIDCLIENT|-
user/a%20b%2Bc%25.txt|bucket|PostObject|post-policy|AKIDCLIENT|-
user/gr%C3%BC%C3%9Fe%20%F0%9F%98%80.txt|bucket|PostObject|post-policy|AKIDCLIENT|-
user/|bucket|PostObject|post-policy|AKIDCLIENT|-
user/it%27s|bucket|PostObject|post-policy|AKIDCLIENT|-
user/%2522quoted%2522.txt|bucket|PostObject|post-policy|AKIDCLIENT|-

=== TEST 6: piece by piece
--- form: POST /bucket file="a\r\n--oOoBoundary\r\na\r\n--oOoBoundary\r\na\r\n--oOoBoundary\r\na\r\n--oOoBoundary\r\na\r\n--oOoBoundary\r\n" pieces=29
--- raw_request_middle_delay: 0.002
--- passed: A
--- response_body_like: data 90 

=== TEST 7: one that is rejected is rejected before its file is there
--- location: client_body_buffer_size 8k; client_body_timeout 60s;
--- form: POST /t7 file=$large tamper first=20000
--- timeout: 2
--- refused: 403 SignatureDoesNotMatch

=== TEST 8: and so is one that grows too long
--- location: client_body_buffer_size 8k; client_body_timeout 60s;
--- form
POST /t7 file=$large first=20000
    condition ["content-length-range", 0, 9]
--- timeout: 2
--- refused: 400 EntityTooLarge

=== TEST 9: a retry is written and signed again, from memory and from a file
--- config
    $TEST_NGINX_CLIENT
    s3_resign on;
    proxy_next_upstream error non_idempotent;
    location /memory { proxy_pass http://origin_ab; client_body_buffer_size 2m; }
    location /file   { proxy_pass http://origin_ab; client_body_buffer_size 8k; }
--- form: POST /{memory,file} file=$large mock=A=partial:70000
--- answers: 2x 200 ^origin B\nverified yes\nauth form\nkey AKIDORIGINB\nregion eu-central-1\n.*data 300000 $hash

=== TEST 10: another location that signs sends it once more
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; proxy_intercept_errors on; error_page 503 = @on; }
    location @on { s3_resign on; proxy_pass http://origin_b; }
--- form: POST /bucket file=$large mock=A=503
--- answers: 200 ^origin B\nverified yes.*data 300000 $hash

=== TEST 11: if its own rules accept it
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; proxy_intercept_errors on; error_page 503 = @on; }
    location @on { s3_resign on; proxy_pass http://origin_b; s3_client AKIDOTHER secret_key=x; }
--- form: POST /bucket file=$large mock=A=503
--- answers: 403 error InvalidAccessKeyId

=== TEST 12: it does not leave a location that does not sign
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; proxy_intercept_errors on; error_page 503 = @off; }
    location @off { s3_resign off; proxy_pass http://origin_b; }
--- form: POST /bucket file=$large mock=A=503
--- error_code: 500
--- error_log
a body that was decoded is not forwarded

=== TEST 13: an origin with a session token, in the host name
--- http_config
    upstream u { server $TEST_NGINX_C; s3_origin $TEST_NGINX_C $TEST_NGINX_CRED_C; }
--- location: proxy_pass http://u;
--- form: POST /bucket
--- passed: C
--- response_body_like: field x-amz-security-token: ToKeN/of\+C==

=== TEST 14: the origin's policy: the client's end and lengths, and nothing but these fields
--- form
POST /bucket expiration=2099-12-31T23:59:58.500Z
    field x-amz-meta-a: a"b\
    condition ["content-length-range", 1, 10]
    condition ["content-length-range", 2, 20]
--- response_body_like eval
'policy \{"conditions":\[\["eq","\$key","key"\],\["eq","\$x-amz-meta-a","a\\\\"b\\\\\\\\"\],\["eq","\$x-amz-algorithm","AWS4-HMAC-SHA256"\],'
. '\["eq","\$x-amz-credential","AKIDORIGINA/\d{8}/us-east-1/s3/aws4_request"\],\["eq","\$x-amz-date","\d{8}T\d{6}Z"\],'
. '\{"bucket":"bucket"\},\["content-length-range",2,10\]\],"expiration":"2099-12-31T23:59:58.000Z"\}\n'

=== TEST 15: V2 forms, where they are allowed
--- location: s3_signature_v2 on;
--- form eval: $v2

=== TEST 16: a client's grant: a form writes to its bucket
--- config
    s3_client AKIDCLIENT secret_key=$TEST_NGINX_CLIENT_SECRET allow=write buckets=mine-*;
    s3_client AKIDR secret_key=$TEST_NGINX_CLIENT_SECRET allow=read;
    location / { s3_resign on; proxy_pass http://origin_a; }
--- form eval: $grants

=== TEST 17: the region of s3_region
--- location: s3_region eu-west-1;
--- form
POST /bucket region=eu-west-1   => 200 verified yes
POST /bucket region=us-east-1   => 400 error InvalidArgument eu-west-1
POST /bucket region=""          => 400 error InvalidArgument eu-west-1

=== TEST 18: without a signature, whatever s3_anonymous says
--- location: s3_anonymous on;
--- form: POST /bucket without=x-amz-algorithm,x-amz-credential,x-amz-date,x-amz-signature,policy
--- refused: 403 AccessDenied Access Denied

=== TEST 19: the browser is sent where the form says, were it the origin; not elsewhere there
--- form
POST /bucket mock=A=moved:303:http://$TEST_NGINX_A/done?bucket=bucket&key=key   => 303
    field success_action_redirect: http://$TEST_NGINX_A/done
POST /bucket mock=A=moved:303:http://$TEST_NGINX_A/elsewhere                    => 502
    field success_action_redirect: http://$TEST_NGINX_A/done
--- response_headers_like eval: ["Location: http://$ENV{TEST_NGINX_A}/done\\?bucket=bucket&key=key", '']

=== TEST 20: the new object's address is the client's
--- form: POST /bucket mock=A=moved:204:http://$TEST_NGINX_A/bucket/key
--- answers: 204
--- response_headers
Location: http://localhost/bucket/key
--- ignore_response_body

=== TEST 21: a body that nginx keeps in a file
--- location: client_body_in_file_only clean;
--- form: POST /bucket file=$large
--- passed: A
--- answers: 200 data 300000 $hash

=== TEST 22: satisfy any does not go past a rejected form
--- location: satisfy any; allow all;
--- form
POST /bucket tamper
POST /bucket without=policy
    added policy: eyJleHBpcmF0aW9uIjoiMjA5OS0wMS0wMVQwMDowMDowMFoiLCJjb25kaXRpb25zIjpbXX0=
POST /bucket key=AKIDNOBODY
--- answers: 3x 403
--- no_error_log
connect to 127.0.0.1

=== TEST 23: a client that leaves in the middle
--- form: POST /t23 file=$large first=200000
--- timeout: 0.1
--- abort
--- ignore_response

=== TEST 24: no origin has heard of it
--- request
GET /_log/t23
--- response_body:

=== TEST 25: Expect: 100-continue
--- form
POST /bucket pieces=head
    Expect: 100-continue
--- raw_request_middle_delay: 0.05
--- error_code: 100
--- response_body_like: ^HTTP/1\.1 200 .*verified yes.*data 5 2cf24dba

=== TEST 26: a head that cannot be right is answered before
--- form
POST /bucket/key pieces=head
    Expect: 100-continue
--- raw_request_middle_delay: 0.05
--- refused: 405 MethodNotAllowed

=== TEST 27: the connection is used again
--- http_config
    upstream u { server $TEST_NGINX_A; keepalive 1; s3_origin default $TEST_NGINX_CRED_A; }
--- location: proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection "";
--- form: 3x POST /bucket file=$large
--- answers
200 connection \d+ request 1\n.*data 300000 $hash
200 connection \d+ request 2\n.*data 300000 $hash
200 connection \d+ request 3\n.*data 300000 $hash

=== TEST 28: errors in the other style
--- location: s3_errors s3proxy; error_page 400 403 /other;
--- form: POST /bucket tamper
--- response_headers
Content-Type: application/json
--- answers: 403 ^\{"error": "The request signature

=== TEST 29: streamed: good ones
--- location: $TEST_NGINX_UNBUFFERED
--- form eval: $good
--- no_error_log
temporary file

=== TEST 30: streamed: cut in two at every byte
--- location: $TEST_NGINX_UNBUFFERED
--- init
my $form = raw('POST /bucket', S3Sign::v4_form(path => '/bucket', file => "\r\n--$boundary" =~ s/o\z//r));
all_like([exchange([map { [substr($form, 0, $_), substr $form, $_] } 1 .. length($form) - 1])],
    (qr/ 200 .*verified yes.*data 17 /s) x (length($form) - 1));
--- request
GET /_log/t30
--- response_body:

=== TEST 31: streamed: piece by piece
--- location: $TEST_NGINX_UNBUFFERED
--- form: POST /bucket file="a\r\n--oOoBoundary\r\na\r\n--oOoBoundary\r\n" pieces=3
--- raw_request_middle_delay: 0.001
--- passed: A
--- response_body_like: data 36 

=== TEST 32: streamed: what is after the file stays here, and its length goes
--- location: $TEST_NGINX_UNBUFFERED
--- init
my $end   = "--$boundary--\r\n";
my $part  = qq(--$boundary\r\nContent-Disposition: form-data; name="submit"\r\n\r\n);
my @after = ("${part}send\r\n$end", $part . 'secret' x 50_000 . "\r\n$end", "--$boundary--", $end, "${end}epilogue",
    "--$boundary--epilogue");
my @forms = map { my $after = $_; [file => $large, edit_body => sub { $_[0] =~ s/$end/$after/r }] } @after;
my @wanted = map {
    my $more = length($_) - length $end;
    $more > 0 ? qr/ 200 .*verified yes.*padding $more\ndata 300000 $hash/s : qr/ 200 .*verified yes(?!.*padding).*data 300000 $hash/s;
} @after;
for my $at (0, 100, 300_000, 300_005, 300_020, 300_022, 300_040) {
    all_like([exchange([map { cut($at, path => '/bucket', @$_) } @forms])], @wanted);
}
--- request
GET /_log/t32
--- response_body:

=== TEST 33: streamed: bad ones
--- location: $TEST_NGINX_UNBUFFERED
--- form eval: $bad
--- no_error_log
connect to 127.0.0.1

=== TEST 34: streamed: one that is rejected is rejected before its file is there
--- location: $TEST_NGINX_UNBUFFERED client_body_timeout 60s;
--- form: POST /t7 file=$large tamper first=20000
--- timeout: 2
--- refused: 403 SignatureDoesNotMatch

=== TEST 35: streamed: what is wrong after the beginning of the file comes out late, and the origin lacks the end
--- location: $TEST_NGINX_UNBUFFERED
--- init
for my $at (0, 1, 2990) {
    all_like([exchange([map { my ($code, @o) = @$_; cut($at, path => '/t35', @o) } @late], pause => 0.05)], map {qr/ 400 .*<Code>$_->[0]</s} @late);
}
--- request
GET /_log/t35
--- response_body_like: ^(?:A reset unverified [^\n]*\n)+$

=== TEST 36: streamed: a client that leaves at any byte of the file or after it
--- location: $TEST_NGINX_UNBUFFERED
--- init
my $form = raw('POST /t36', S3Sign::v4_form(path => '/t36', file => 'hello'));
$form =~ /hello/ or die;
exchange([map { [substr $form, 0, $_] } $-[0] .. length($form) - 1], pause => 0.05, leave => 1);
--- request
GET /_log/t36
--- response_body_like: ^(?:A reset unverified [^\n]*\n)*$

=== TEST 37: streamed: the origin has the fields, and the beginning of the file, while the client holds back the rest
--- location: $TEST_NGINX_UNBUFFERED client_body_timeout 60s;
--- init
my ($no_file)   = @{ cut(0, path => '/t37', file => $large, headers => ['x-mock', 'A=partial:700']) };
my ($beginning) = @{ cut(50_000, path => '/t37', file => $large, headers => ['x-mock', 'A=partial:50000']) };
all_like([exchange([[$no_file], [$beginning]])], (qr/ 502 /) x 2);
--- request
GET /_log/t37
--- response_body_like: ^(?:A partial unverified body=\d{3,4} [^\n]*\nA partial unverified body=5\d{4} [^\n]*\n|A partial unverified body=5\d{4} [^\n]*\nA partial unverified body=\d{3,4} [^\n]*\n)$

=== TEST 38: streamed: a try that nobody took is made again elsewhere, written and signed again
--- http_config eval: $dead
--- location: proxy_pass http://u; $TEST_NGINX_UNBUFFERED
--- form: POST /bucket file=$large pieces=file+100
--- raw_request_middle_delay: 0.1
--- passed: B
--- answers: 200 key AKIDORIGINB\n.*data 300000 $hash

=== TEST 39: streamed: one that has begun is not
--- http_config
    upstream u {
        server $TEST_NGINX_A max_fails=0; server $TEST_NGINX_B backup;
        s3_origin $TEST_NGINX_A $TEST_NGINX_CRED_A; s3_origin $TEST_NGINX_B $TEST_NGINX_CRED_B;
    }
--- location: proxy_pass http://u; $TEST_NGINX_UNBUFFERED proxy_next_upstream error http_503 non_idempotent;
--- init
all_like([exchange([map { cut(1000, path => '/t39', file => $large, headers => ['x-mock', "A=$_"]) } 'partial:900', 'early:503'])], qr/ 502 /, qr/ 50[23] /);
--- request
GET /_log/t39
--- response_body_like: ^(?:A (?:partial|early-503) unverified [^\n]*\n){2}$

=== TEST 40: streamed: another location goes on, if nothing has been sent
--- http_config
    upstream u { server $TEST_NGINX_DEAD; s3_origin default $TEST_NGINX_CRED_A; }
--- config
    $TEST_NGINX_CLIENT
    client_body_buffer_size 1k;
    location / { s3_resign on; proxy_pass http://u; proxy_request_buffering off; error_page 502 = @on; }
    location @on { s3_resign on; proxy_pass http://origin_b; }
--- form: POST /bucket file=$large pieces=file+100
--- raw_request_middle_delay: 0.1
--- passed: B
--- answers: 200 data 300000 $hash

=== TEST 41: streamed: else not; nor does it leave for one that does not sign, or accepts others
--- http_config
    upstream u { server $TEST_NGINX_DEAD; s3_origin default $TEST_NGINX_CRED_A; }
--- config
    $TEST_NGINX_CLIENT
    client_body_buffer_size 1k; proxy_request_buffering off; proxy_intercept_errors on;
    location /t41-off { s3_resign on; proxy_pass http://u; error_page 502 = @off; }
    location /t41-other { s3_resign on; proxy_pass http://u; error_page 502 = @other; }
    location /t41 { s3_resign on; proxy_pass http://origin_a; error_page 502 = @on; }
    location @on { s3_resign on; proxy_pass http://origin_b; }
    location @off { s3_resign off; proxy_pass http://origin_b; }
    location @other { s3_resign on; proxy_pass http://origin_b; s3_client AKIDOTHER secret_key=x; }
--- init
all_like([exchange([map { cut(1000, path => $_->[0], file => $large, headers => ['x-mock', "A=$_->[1]"]) }
    ['/t41', 'partial:1500'], ['/t41-off', 'none'], ['/t41-other', 'none']])], qr/ 500 /, qr/ 500 /, qr/<Code>InvalidAccessKeyId</);
--- request
GET /_log/t41
--- response_body_like: ^A partial unverified [^\n]*\n$
--- error_log eval
# The second one where all of the form had come before its origin failed.
[qr/a form whose beginning is gone, or was replaced, is not forwarded|not forwarded: its body is not the client's/,
    qr/a body that was decoded is not forwarded/]

=== TEST 42: streamed: to an origin that is spoken to by HTTP/1.0
--- location: $TEST_NGINX_UNBUFFERED proxy_http_version 1.0;
--- form: POST /bucket file=$large
--- passed: A
--- answers: 200 data 300000 $hash

=== TEST 43: streamed: after a rejected form the connection to the origin is not used again
--- http_config
    upstream u { server $TEST_NGINX_A; keepalive 1; s3_origin default $TEST_NGINX_CRED_A; }
--- location: proxy_pass http://u; $TEST_NGINX_UNBUFFERED proxy_http_version 1.1; proxy_set_header Connection '';
--- init
my @forms = map { cut(100, path => '/t43', file => $large, @$_) } [], [], [more => [['content-length-range', 0, 1000]]], [];
all_like([map { exchange([$_]) } @forms], qr/request 1\n.*data/s, qr/request 2\n.*data/s, qr/EntityTooLarge/, qr/request 1\n.*data/s);
--- request
GET /_log/t43
--- response_body_like: ^(?:A 200 verified [^\n]*\n){2}A reset unverified [^\n]*\nA 200 verified [^\n]*\n$

=== TEST 44: streamed: Expect: 100-continue
--- location: $TEST_NGINX_UNBUFFERED
--- raw_request eval
my $form = raw('POST /bucket', S3Sign::v4_form(path => '/bucket', headers => ['expect', '100-continue']));
[$form =~ /\A(.*?\r\n\r\n)(.*filename)(.*)\z/s]
--- raw_request_middle_delay: 0.05
--- error_code: 100
--- response_body_like: ^HTTP/1\.1 200 .*verified yes.*data 5 2cf24dba

=== TEST 45: streamed: a client that stalls, in its fields or in its file
--- http_config
    log_format line '$uri $status';
--- location: $TEST_NGINX_UNBUFFERED client_body_timeout 100ms; access_log logs/access.log line;
--- init
all_like([exchange([map { [substr cut($_, path => '/t45', file => $large)->[0], 0, 900 + $_] } 0, 10_000])], (qr/^$/) x 2);
--- request
GET /_log/t45
--- response_body_like: ^A reset unverified [^\n]*\n$
--- access_log
/t45 408
/t45 408

=== TEST 46: streamed: time spent on other checks is not the client's
--- skip_eval: 2: S3Test::lacks('http_auth_request_module')
--- http_config
    limit_req_zone $server_name zone=slow:64k rate=4r/s;
--- server: location = /auth { limit_req zone=slow burst=2; empty_gif; }
--- location: $TEST_NGINX_UNBUFFERED client_body_timeout 100ms; auth_request /auth;
--- init
all_like([exchange([map { cut(100, path => '/t46', file => $large) } 1, 2])], (qr/verified yes.*data 300000 $hash/s) x 2);
--- request
GET /_log/t46
--- response_body_like: ^(?:A 200 verified [^\n]*\n){2}$

=== TEST 47: streamed: the next request of the connection, sent along
--- location: $TEST_NGINX_UNBUFFERED
--- init
my @form = @{ cut(100, path => '/t47', file => $large, headers => ['connection', 'keep-alive']) };
my $next = raw('GET /t47/key', h4(path => '/t47/key', host => 'localhost'));
all_like([exchange([[$form[0], $form[1] . $next], [@form[0, 1], $next]])], (qr/verified yes.*line POST.*data 300000 $hash\nHTTP.*verified yes.*line GET/s) x 2);
--- request
GET /_log/t47/key
--- response_body_like: ^(?:A 200 verified [^\n]*\n){2}$

=== TEST 48: one without a length is read whole: the origin wants to know it
--- location: $TEST_NGINX_UNBUFFERED proxy_http_version 1.1;
--- form: POST /bucket file=$large te=5000
--- passed: A
--- answers: 200 header Content-Length: 30\d+\n.*data 300000 $hash
--- error_log
a client request body is buffered to a temporary file

=== TEST 49: streamed: V2 forms, ${filename}, grants and regions
--- config
    $TEST_NGINX_CLIENT
    $TEST_NGINX_UNBUFFERED
    proxy_set_header X-Y '';
    location / { s3_resign on; proxy_pass http://origin_a; s3_signature_v2 on; }
    location ~ ^/(mine|yours) {
        s3_client AKIDCLIENT secret_key=$TEST_NGINX_CLIENT_SECRET allow=write buckets=mine-*;
        s3_client AKIDR secret_key=$TEST_NGINX_CLIENT_SECRET allow=read;
        s3_resign on;
        proxy_pass http://origin_a;
    }
--- form eval: $v2 . $names . $grants

=== TEST 50: streamed: satisfy any does not go past a rejected form
--- location: $TEST_NGINX_UNBUFFERED satisfy any; allow all;
--- form
POST /bucket tamper
POST /bucket without=policy
    added policy: eyJleHBpcmF0aW9uIjoiMjA5OS0wMS0wMVQwMDowMDowMFoiLCJjb25kaXRpb25zIjpbXX0=
POST /bucket key=AKIDNOBODY
--- answers: 3x 403
--- no_error_log
connect to 127.0.0.1

=== TEST 51: streamed: a retry of one that was there at once is made from memory
--- location: proxy_pass http://origin_ab; proxy_request_buffering off; client_body_buffer_size 2m; proxy_next_upstream error non_idempotent;
--- form: POST /bucket mock=A=drop
--- passed: B
--- response_body_like: data 5 2cf24dba

=== TEST 52: auth_request asks another server about a form, whose body stays here
--- skip_eval: 4: S3Test::lacks('http_auth_request_module')
--- config
    $TEST_NGINX_CLIENT
    auth_request /auth;
    location /on { s3_resign on; proxy_pass http://origin_a; }
    location /off { s3_resign on; proxy_pass http://origin_a; $TEST_NGINX_UNBUFFERED }
    location = /auth { proxy_pass http://$TEST_NGINX_B; proxy_pass_request_body off; proxy_set_header Content-Length ''; }
--- form: POST /{on,off}
--- answers: 2x 200 ^origin A\nverified yes.*data 5 2cf24dba

=== TEST 53: older than the location allows
--- config
    $TEST_NGINX_CLIENT
    s3_signature_v2 on;
    s3_max_age 2m;
    location / { s3_resign on; proxy_pass http://origin_a; }
--- form
POST /bucket skew=-110 expires=3600            => 200 ^origin A\nverified yes
POST /bucket skew=-130 expires=3600            => 403 error AccessDenied Policy expired
POST /bucket v2 expires=110                    => 200 ^origin A\nverified yes
POST /bucket v2 expires=130                    => 403 error AccessDenied not valid yet
