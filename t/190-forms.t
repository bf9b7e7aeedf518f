# Browsers' forms: verified by their policy, written and signed anew for the
# origin. Of one that is refused no origin hears.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test ':running';
use IO::Socket::INET;
use Time::HiRes ();
use Test::Nginx::Socket 'no_plan';

our $large = join '', map { chr(33 + $_ * 7919 % 90) } 1 .. 300_000;
our $hash  = Digest::SHA::sha256_hex($large);

our $unbuffered = 'proxy_request_buffering off; client_body_buffer_size 1k;';
our $boundary = 'oOoBoundaryoOo';

# A sub that changes one field's value, adds a field or takes one out.
sub set     { my ($name, $value) = @_; sub { map { $_->[0] eq $name ? [$name, $value] : $_ } @_ } }
sub add     { my @field = @_; sub { ([@field], @_) } }
sub without { my %names = map { $_ => 1 } @_; sub { grep { !$names{ $_->[0] } } @_ } }
sub edit    { my ($from, $to) = @_; sub { my $n = $_[0] =~ s/$from/$to/sr; die "$from is not there" if $n eq $_[0]; $n } }

# Each breaks one rule: the answer's status, code and words, and the form.
our @bad = (
    # who signed it
    ['403 SignatureDoesNotMatch signature', tamper => 1],
    ['403 SignatureDoesNotMatch signature', edit_fields => sub {
        map { $_->[0] eq 'policy' ? [policy => encode('{"expiration":"2099-01-01T00:00:00Z","conditions":[]}')] : $_ } @_ }],
    ['403 SignatureDoesNotMatch signature', edit_fields => set('x-amz-signature', '')],
    ['403 InvalidAccessKeyId Access Key', key => 'AKIDNOBODY'],
    ['403 AccessDenied Access Denied', edit_fields => without(qw(x-amz-algorithm x-amz-credential x-amz-date x-amz-signature policy))],
    ['403 AccessDenied Access Denied', edit_fields => without(qw(x-amz-algorithm x-amz-credential x-amz-date x-amz-signature))],
    (map { ["400 InvalidArgument named '$_'", edit_fields => without($_)] }
        qw(x-amz-algorithm x-amz-credential x-amz-date x-amz-signature policy)),
    ['400 InvalidArgument algorithm must be', algorithm => 'AWS4-HMAC-SHA1'],
    ['400 InvalidArgument Credential is mal-formed', scope => 'us-east-1/s3/aws4_request'],
    ['400 InvalidArgument incorrect service', service => 's4'],
    ['400 InvalidArgument incorrect terminal', terminator => 'aws3_request'],
    ['400 InvalidArgument not the same as X-Amz-Date', scope_date => '20200101'],
    ['400 InvalidArgument ISO8601', date => '2026-01-01T00:00:00Z', scope_date => '20260101'],
    ['403 AccessDenied not valid yet', skew => 9000],
    ['400 InvalidArgument Only one auth mechanism', edit_fields => add('AWSAccessKeyId', 'AKIDCLIENT')],
    ['400 InvalidRequest use AWS4-HMAC-SHA256', v2 => 1],
    # the policy itself
    ['403 AccessDenied Policy expired', expires => -1],
    (map { ['400 InvalidPolicyDocument could not be read', @$_] }
        [policy => 'x'], [policy => '{"conditions":[]}'], [policy => '{"expiration":"2099-01-01T00:00:00Z"}'],
        [policy => '{"expiration":"2099-01-01T00:00:00Z","conditions":[],"x":1}'],
        [policy => '{"expiration":"2099-01-01T00:00:00Z","conditions":[],"conditions":[]}'],
        [policy => '{"expiration":"2000-01-01T00:00:00Z","conditions":[],"expiration":"2099-01-01T00:00:00Z"}'],
        [expiration => '2099-01-01'], [expiration => '2099-01-01T00:00:00'], [expiration => '2099-01-01T00:00:00+01:00'],
        [expiration => '2099-02-30T00:00:00Z'], [expiration => 4070908800],
        [more => [{}]], [more => [{ acl => 'private', x => 'y' }]], [more => [{ acl => 1 }]], [more => ['acl']],
        [more => [['in', '$acl', 'private']]], [more => [['eq', 'key', 'key']]], [more => [['eq', '$key']]],
        [more => [['eq', '$key', 'key', 'key']]], [more => [['content-length-range', 0]]],
        [more => [['content-length-range', -1, 10]]], [more => [['content-length-range', '0x1', 10]]],
        [policy => '[' x 40_000], [policy => '{"expiration":' . '[' x 40_000],
        [edit_fields => sub { my @f = set(policy => '%%%%')->(@_);
            set('x-amz-signature' => S3Sign::form_signature({ S3Sign::options() }, $f[2][1] =~ s{^[^/]+/}{}r, '%%%%'))->(@f) }]),
    # the form is what the policy says
    ['403 AccessDenied Condition failed: \[.quot;eq.quot;, .quot;\$key.quot;, .quot;other', conditions => [{ bucket => 'bucket' }, { key => 'other' }]],
    ['403 AccessDenied Condition failed: .*starts-with', conditions => [{ bucket => 'bucket' }, ['starts-with', '$key', 'user/']]],
    ['403 AccessDenied Condition failed: .*acl', more => [{ acl => 'private' }]],
    ['403 AccessDenied Condition failed: .*starts-with.*\$acl', more => [['starts-with', '$acl', '']]],
    ['403 AccessDenied Condition failed: .*bucket', conditions => [{ bucket => 'other' }, ['starts-with', '$key', '']]],
    ['403 AccessDenied Extra input fields: bucket', conditions => [['starts-with', '$key', '']]],
    ['403 AccessDenied Extra input fields: key', unlisted => ['key']],
    ['403 AccessDenied Extra input fields: acl', edit_fields => add(acl => 'public-read')],
    ['403 AccessDenied Extra input fields: x-amz-meta-a', fields => ['x-amz-meta-a', 'b'], unlisted => ['x-amz-meta-a']],
    ['403 AccessDenied Extra input fields: success_action_redirect', edit_fields => add(success_action_redirect => 'http://evil/')],
    ['403 AccessDenied Extra input fields: x-amz-security-token', edit_fields => add('x-amz-security-token', 'x')],
    ['403 AccessDenied Extra input fields: submit', edit_fields => add(submit => 'x')],
    ['403 AccessDenied Condition failed: .*Content-Type', fields => ['Content-Type', 'image/png,text/html'],
        unlisted => ['Content-Type'], more => [['starts-with', '$Content-Type', 'image/']]],
    ['403 AccessDenied Condition failed: .*a.txt', form_key => '${filename}', filename => 'b.txt', conditions => [{ bucket => 'bucket' }, { key => 'a.txt' }]],
    ['403 AccessDenied Condition failed: .*filename', form_key => '${filename}', filename => 'b.txt'],
    ['400 EntityTooLarge exceeds', more => [['content-length-range', 0, 4]]],
    ['400 EntityTooSmall smaller', more => [['content-length-range', 6, 10]]],
    ['400 EntityTooSmall smaller', more => [['content-length-range', '5', '10'], ['content-length-range', 6, 100]]],
    ['400 EntityTooLarge exceeds', file => $large, more => [['content-length-range', 0, 299_999]]],
    # the fields
    ['400 UserKeyMustBeSpecified field', edit_fields => without('key'), conditions => [{ bucket => 'bucket' }]],
    ['400 UserKeyMustBeSpecified field', form_key => ''],
    ['400 UserKeyMustBeSpecified field', form_key => '${filename}', filename => 'a/', conditions => [{ bucket => 'bucket' }, ['starts-with', '$key', '']]],
    ['400 KeyTooLongError too long', form_key => 'k' x 1025],
    ['400 InvalidArgument repeated', edit_fields => add(key => 'key')],
    ['400 InvalidArgument repeated', edit_fields => add(KEY => 'other')],
    ['400 InvalidArgument repeated', edit_fields => add(policy => 'e30=')],
    ['400 InvalidArgument repeated', edit_fields => add('X-Amz-Signature', 'x')],
    ['400 InvalidArgument invalid name or value', fields => ['x-amz-meta-a', "a\r\nb"]],
    ['400 InvalidArgument invalid name or value', form_key => "a\0b"],
    ['400 InvalidArgument invalid name or value', form_key => "\xff", conditions => [{ bucket => 'bucket' }, ['starts-with', '$key', '']]],
    ['400 InvalidArgument invalid name or value', form_key => "a--$boundary"],
    ['400 InvalidArgument invalid name or value', fields => ['x-amz-copy-source', '/other/key']],
    ['400 InvalidArgument invalid name or value', fields => ['X_Amz_Copy_Source', '/other/key']],
    ['400 InvalidArgument invalid name or value', form_key => '${filename}', filename => '${filename}', conditions => [{ bucket => 'bucket' }, ['starts-with', '$key', '']]],
    ['400 InvalidArgument invalid name or value', fields => ['bucket', 'other'], unlisted => ['bucket'], more => [['starts-with', '$bucket', '']]],
    ['400 MaxPostPreDataLengthExceededError too large', fields => ['x-amz-meta-a', 'a' x 65_536]],
    ['400 MaxPostPreDataLengthExceededError too large', fields => [map { ("x-ignore-$_", 1) } 1 .. 140]],
    ['400 MaxPostPreDataLengthExceededError too large', form_key => '${filename}' x 100, filename => 'f' x 2000],
    # its shape
    ['400 IncorrectNumberOfFilesInPostRequest one file', edit_body => edit(qr/--$boundary\r\n[^\r]*name="file".*--$boundary--/s, "--$boundary--")],
    ['400 IncorrectNumberOfFilesInPostRequest one file', edit_body => sub { my ($file) = $_[0] =~ /(--$boundary\r\n[^\r]*name="file".*?)--$boundary--/s; edit(qr/--$boundary--/, "$file--$boundary--")->($_[0]) }],
    ['400 IncorrectNumberOfFilesInPostRequest one file', edit_body => edit(qr/name="key"/, 'name="key"; filename="k"')],
    (map { ['400 MalformedPOSTRequest not well-formed', edit_body => $_] }
        sub { substr $_[0], 0, -length("--\r\n") }, sub { substr $_[0], 0, -length("\r\n--$boundary--\r\n") },
        sub { "preamble\r\n$_[0]" }, sub { "\r\n\r\n$_[0]" }, sub { substr $_[0], 1 }, sub { '' },
        edit(qr/\r\n/, "\n"), edit(qr/\r\n\r\n/, "\n\n"), edit(qr/name="key"\r\n/, "name=\"key\"\r\n folded: x\r\n"),
        edit(qr/name="key"/, 'name="key"; name="acl"'), edit(qr/name="key"/, 'filename="x"'), edit(qr/name="key"/, 'name="key'),
        edit(qr/name="key"/, 'name="k\\"ey"'), edit(qr/name="key"/, 'name=""'), edit(qr/name="key"/, "name=\"k\0y\""),
        edit(qr/name="key"/, 'name="key" x'), edit(qr/form-data; name="key"/, 'attachment; name="key"'),
        edit(qr/Content-Disposition: [^\r]*"key"\r\n/, ''), edit(qr/Content-Disposition/, 'Content Disposition'),
        edit(qr/(Content-Disposition: [^\r]*\r\n)/, 'Content-Disposition: form-data; name="acl"' . "\r\nContent-Disposition: form-data; name=\"key\"\r\n"),
        edit(qr/name="key"\r\n/, "name=\"key\"\r\nContent-Transfer-Encoding: base64\r\n"),
        edit(qr/text\/x-file/, 'multipart/mixed; boundary=x'),
        edit(qr/\r\n\r\nkey\r\n/, "\r\n\r\n"), edit(qr/hello/, "--$boundary"),
        edit(qr/--$boundary\r\n/, "--$boundary \r\n"), edit(qr/--$boundary\r\n/, "--$boundary\r\n\r\n")),
    (map { ['400 MalformedPOSTRequest not well-formed', content_type => $_] }
        'multipart/form-data', 'multipart/form-data; boundary=', 'multipart/form-data; boundary=""',
        "multipart/form-data; boundary=$boundary; boundary=x", "multipart/form-data; boundary=\"$boundary", "multipart/form-data; boundary=$boundary; x=y",
        "multipart/form-data; boundary=$boundary,x", 'multipart/form-data; boundary=other', 'multipart/form-data; boundary=' . 'b' x 71, 'multipart/form-dataX; boundary=x'),
    # its head
    ['405 MethodNotAllowed method', path => '/bucket/key'],
    ['405 MethodNotAllowed method', path => '/'],
    ['403 AccessDenied query parameters', path => '/bucket?delete', conditions => [{ bucket => 'bucket' }, { key => 'key' }]],
    ['403 AccessDenied headers present', headers => ['x-amz-acl', 'public-read']],
    ['501 NotImplemented not implemented', headers => ['content-md5', 'XUFAKrxLKna5cZ2REBfFkg==']],
);

# And these break none.
our @good = (
    [],
    [te => 100],
    [path => '/bucket/'],
    [filename => undef],
    [file => ''],
    [file => $large],
    [file => $large, te => 5000],
    [file => "\r\n--oOoBoundaryoO\r\n--\r\n-\r\r\n--$boundary" =~ s/oOo\z/oO/r],
    [fields => ['x-ignore-a', 'b', 'x-ignore-a', 'c'], unlisted => ['x-ignore-a']],
    [fields => ['bucket', 'bucket'], unlisted => ['bucket']],
    [fields => ['Content-Type', 'image/png', 'acl', 'private', 'success_action_status', '201', 'x-amz-meta-a', 'b']],
    [fields => ['tagging', "<Tagging>\r\n</Tagging>"]],
    [fields => ['Content-Type', 'image/png,image/gif'], unlisted => ['Content-Type'], more => [['starts-with', '$content-type', 'image/']]],
    [conditions => [{ bucket => 'bucket' }, ['starts-with', '$Key', 'k']]],
    [more => [['content-length-range', 5, 5], ['content-length-range', '0', '10']]],
    [eol => "\r\n", fields => ['x-amz-meta-a', 'b' x 200]],
    [edit_fields => sub { map { [uc $_->[0], $_->[1]] } @_ }],
    [edit_body => edit(qr/--$boundary--\r\n/, "--$boundary\r\nContent-Disposition: form-data; name=\"submit\"\r\n\r\n" . 'x' x 50_000 . "\r\n--$boundary--\r\n")],
    [edit_body => edit(qr/--$boundary--\r\n/, "--$boundary--")],
    [edit_body => edit(qr/--$boundary--\r\n/, "--$boundary--\r\nepilogue")],
    [edit_body => sub { "\r\n$_[0]" }],
    [edit_body => edit(qr/name="key"\r\n/, "name=key\r\nContent-Transfer-Encoding: binary\r\nContent-Length: 3\r\n")],
    [content_type => "Multipart/Form-Data; charset=utf-8; boundary=\"$boundary\""],
    [expiration => '2099-01-01T00:00:00Z'],
    [expiration => '2099-01-01T00:00:00.000000Z'],
);

# Those that are streamed, if they may be; and the bad ones of which all arrives at once.
our @streamed = grep { !{@$_}->{te} } @good;
our @small = grep { my (undef, %o) = @$_; length($o{file} // '') < 1000 } @bad;

# A file's name, and what comes of the key "user/${filename}".
our @names = (
    ['photo.jpg', 'photo.jpg'], ['C:\\dir\\x.txt', 'x.txt'], ['/home/me/x.txt', 'x.txt'], ['a b+c%.txt', 'a b+c%.txt'],
    ["gr\xc3\xbc\xc3\x9fe \xf0\x9f\x98\x80.txt", "gr\xc3\xbc\xc3\x9fe \xf0\x9f\x98\x80.txt"], ['', ''], ['it\'s', 'it\'s'],
    ['%22quoted%22.txt', '%22quoted%22.txt'],
);

# Each is refused for what is behind the beginning of its file, of which 3,000 bytes are "x".
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

sub encode { MIME::Base64::encode_base64($_[0], '') }

# The requests and the headers of forms.
sub forms {
    my (@requests, @headers);
    for (@_) {
        my %o = (path => '/bucket', @$_);
        my ($headers, $body) = S3Sign::v4_form(%o);
        push @requests, "POST $o{path}\n$body";
        push @headers, $headers;
    }
    return { requests => \@requests, headers => \@headers };
}

our %forms = (
    good => forms(@good),
    streamed => forms(@streamed),
    small => forms(map { my (undef, @o) = @$_; \@o } @small),
    bad => forms(map { my (undef, @o) = @$_; \@o } @bad),
    names => forms(map { [form_key => 'user/${filename}', filename => $_->[0], conditions => [{ bucket => 'bucket' }, ['starts-with', '$key', 'user/']]] } @names),
    one => forms([file => $large]),
    late => forms([path => '/t7', file => $large, tamper => 1], [path => '/t7', file => $large, more => [['content-length-range', 0, 9]]]),
    retried => forms(map { [path => "/$_", file => $large, headers => ['x-mock', 'A=partial:70000']] } qw(memory file)),
    busy => forms([file => $large, headers => ['x-mock', 'A=503']]),
    token => forms([]),
    unsigned => forms([edit_fields => without(qw(x-amz-algorithm x-amz-credential x-amz-date x-amz-signature policy))]),
    policy => forms([expiration => '2099-12-31T23:59:58.500Z', fields => ['x-amz-meta-a', 'a"b\\'],
        more => [['content-length-range', 1, 10], ['content-length-range', 2, 20]]]),
    redirect => forms(map { [fields => ['success_action_redirect', "http://$ENV{TEST_NGINX_A}/done"],
        headers => ['x-mock', "A=moved:303:http://$ENV{TEST_NGINX_A}/$_"]] } 'done?bucket=bucket&key=key', 'elsewhere'),
    created => forms([headers => ['x-mock', "A=moved:204:http://$ENV{TEST_NGINX_A}/bucket/key"]]),
    v2 => forms([v2 => 1], [v2 => 1, file => $large], [v2 => 1, tamper => 1], [v2 => 1, key => 'AKIDNOBODY'],
        [v2 => 1, edit_fields => without('AWSAccessKeyId')], [v2 => 1, edit_fields => without('signature')],
        [v2 => 1, edit_fields => without('policy')], [v2 => 1, edit_fields => add(acl => 'private')], [v2 => 1, expires => -1]),
    grants => forms([path => '/mine-1'], [path => '/yours'], [path => '/mine-1', key => 'AKIDR'], [path => '/mine%2D2']),
    regions => forms([region => 'eu-west-1'], [region => 'us-east-1'], [region => '']),
);

# A form in two pieces, cut so many bytes behind the beginning of its file.
sub cut {
    my ($at, %o) = @_;
    my $form = raw("POST $o{path}", S3Sign::v4_form(%o));
    $form =~ /filename="[^"]*"\r\n[^\r]*\r\n\r\n/ or die 'no file';
    return [unpack 'a' . ($+[0] + $at) . ' a*', $form];
}

# Sends lists of pieces, each over a connection of its own, as many at a time as one worker takes, with a
# pause behind each piece; the answers. With `leave` the connections are closed then.
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

sub requests { return $forms{ +shift }{requests} }
sub headers  { return $forms{ +shift }{headers} }

sub with {
    my ($settings, $upstream) = @_;
    $upstream //= 'origin_a';
    return "$ENV{TEST_NGINX_CLIENT} location / { s3_resign on; proxy_pass http://$upstream; $settings }";
}

prepare();
run_tests();

__DATA__

=== TEST 1: good ones, in memory
--- config eval: with('client_body_buffer_size 2m;')
--- request eval: requests('good')
--- more_headers eval: headers('good')
--- error_code eval: [(200) x @good]
--- response_body_like eval
[map { my %o = (file => 'hello', @$_); "verified yes\n.*field (?i:key): key\n.*data " . length($o{file}) . ' ' . Digest::SHA::sha256_hex($o{file}) } @good]

=== TEST 2: in a file
--- config eval: with('client_body_in_file_only clean;')
--- request eval: requests('good')
--- more_headers eval: headers('good')
--- error_code eval: [(200) x @good]
--- response_body_like eval
[map { my %o = (file => 'hello', @$_); "verified yes\n.*field (?i:key): key\n.*data " . length($o{file}) . ' ' . Digest::SHA::sha256_hex($o{file}) } @good]

=== TEST 3: in a file by sendfile
--- config eval: with('client_body_buffer_size 8k; sendfile on;')
--- request eval: requests('good')
--- more_headers eval: headers('good')
--- error_code eval: [(200) x @good]
--- response_body_like eval
[map { my %o = (file => 'hello', @$_); "verified yes\n.*field (?i:key): key\n.*data " . length($o{file}) . ' ' . Digest::SHA::sha256_hex($o{file}) } @good]

=== TEST 4: bad ones
--- config eval: with('client_body_buffer_size 8k;')
--- request eval: requests('bad')
--- more_headers eval: headers('bad')
--- error_code eval: [map { $_->[0] =~ /^(\d+)/ } @bad]
--- response_body_like eval: [map { my ($code, $words) = $_->[0] =~ /^\d+ (\S+) (.*)/; "<Code>$code</Code><Message>[^<]*" . $words =~ s/.quot;/&quot;/gr } @bad]
--- no_error_log
connect to 127.0.0.1

=== TEST 5: ${filename} in the key
--- http_config
    log_format key '$s3_key|$s3_bucket|$s3_operation|$s3_auth|$s3_access_key|$s3_error';
--- config eval: "access_log logs/access.log key;\n" . with('')
--- request eval: requests('names')
--- more_headers eval: headers('names')
--- error_code eval: [(200) x @names]
--- response_body_like eval: [map { "verified yes\n.*field key: user/\Q$_->[1]\E\n" } @names]
--- access_log eval
join '', map { 'user/' . S3Sign::encode($_->[1], 'path') . "|bucket|PostObject|post-policy|AKIDCLIENT|-\n" } @names

=== TEST 6: piece by piece
--- raw_request eval
my ($headers, $body) = S3Sign::v4_form(path => '/bucket', file => "a\r\n--oOoBoundary\r\n" x 5);
[unpack '(a29)*', raw('POST /bucket', $headers, $body)]
--- raw_request_middle_delay: 0.002
--- passed: A
--- response_body_like: data 90 

=== TEST 7: one that is refused is refused before its file is there
--- config eval: with('client_body_buffer_size 8k; client_body_timeout 60s;')
--- raw_request eval: [map { substr raw('POST /t7', $forms{late}{headers}[$_], $forms{late}{requests}[$_] =~ s/^[^\n]*\n//r), 0, 20_000 } 0]
--- timeout: 2
--- refused: 403 SignatureDoesNotMatch

=== TEST 8: and so is one that grows too long
--- config eval: with('client_body_buffer_size 8k; client_body_timeout 60s;')
--- raw_request eval: [map { substr raw('POST /t7', $forms{late}{headers}[$_], $forms{late}{requests}[$_] =~ s/^[^\n]*\n//r), 0, 20_000 } 1]
--- timeout: 2
--- refused: 400 EntityTooLarge

=== TEST 9: a retry is written and signed anew, from memory and from a file
--- config eval
my $location = sub { "location /$_[0] { s3_resign on; proxy_pass http://origin_ab; proxy_next_upstream error non_idempotent; $_[1] }" };
$ENV{TEST_NGINX_CLIENT} . $location->('memory', 'client_body_buffer_size 2m;') . $location->('file', 'client_body_buffer_size 8k;')
--- request eval: requests('retried')
--- more_headers eval: headers('retried')
--- error_code eval: [200, 200]
--- response_body_like eval: [("^origin B\nverified yes\nauth form\nkey AKIDORIGINB\nregion eu-central-1\n.*data 300000 $hash") x 2]

=== TEST 10: another location that signs sends it once more
--- config eval
$ENV{TEST_NGINX_CLIENT} . 'location / { s3_resign on; proxy_pass http://origin_a; proxy_intercept_errors on; error_page 503 = @on; }
location @on { s3_resign on; proxy_pass http://origin_b; }'
--- request eval: requests('busy')
--- more_headers eval: headers('busy')
--- response_body_like eval: "^origin B\nverified yes.*data 300000 $hash"

=== TEST 11: if its own rules let it in
--- config eval
$ENV{TEST_NGINX_CLIENT} . 'location / { s3_resign on; proxy_pass http://origin_a; proxy_intercept_errors on; error_page 503 = @on; }
location @on { s3_resign on; proxy_pass http://origin_b; s3_client AKIDOTHER secret_key=x; }'
--- request eval: requests('busy')
--- more_headers eval: headers('busy')
--- error_code: 403
--- response_body_like eval: s3_error('InvalidAccessKeyId')

=== TEST 12: it does not leave a location that does not sign
--- config eval
$ENV{TEST_NGINX_CLIENT} . 'location / { s3_resign on; proxy_pass http://origin_a; proxy_intercept_errors on; error_page 503 = @off; }
location @off { s3_resign off; proxy_pass http://origin_b; }'
--- request eval: requests('busy')
--- more_headers eval: headers('busy')
--- error_code: 500
--- error_log
a body that was decoded is not forwarded

=== TEST 13: an origin with a session token, in the host name
--- http_config
    upstream u { server $TEST_NGINX_C; s3_origin $TEST_NGINX_C $TEST_NGINX_CRED_C; }
--- config eval: with('', 'u')
--- request eval: requests('token')
--- more_headers eval: headers('token')
--- passed: C
--- response_body_like: field x-amz-security-token: ToKeN/of\+C==

=== TEST 14: the origin's policy: the client's end and lengths, and nothing but these fields
--- request eval: requests('policy')
--- more_headers eval: headers('policy')
--- response_body_like eval
'policy \{"conditions":\[\["eq","\$key","key"\],\["eq","\$x-amz-meta-a","a\\\\"b\\\\\\\\"\],\["eq","\$x-amz-algorithm","AWS4-HMAC-SHA256"\],'
. '\["eq","\$x-amz-credential","AKIDORIGINA/\d{8}/us-east-1/s3/aws4_request"\],\["eq","\$x-amz-date","\d{8}T\d{6}Z"\],'
. '\{"bucket":"bucket"\},\["content-length-range",2,10\]\],"expiration":"2099-12-31T23:59:58.000Z"\}\n'

=== TEST 15: V2 forms, where they are allowed
--- config eval: with('s3_signature_v2 on;')
--- request eval: requests('v2')
--- more_headers eval: headers('v2')
--- error_code eval: [200, 200, 403, 403, 400, 400, 400, 403, 403]
--- response_body_like eval
['verified yes', "verified yes.*data 300000 $hash", s3_error('SignatureDoesNotMatch'), s3_error('InvalidAccessKeyId'),
 s3_error('InvalidArgument', "'AWSAccessKeyId'"), s3_error('InvalidArgument', "'signature'"), s3_error('InvalidArgument', "'policy'"),
 s3_error('AccessDenied', 'Extra input fields: acl'), s3_error('AccessDenied', 'expired')]

=== TEST 16: a client's grant: a form writes to its bucket
--- config eval
my ($client, $reader) = map { "s3_client $_ secret_key=$S3Sign::Default{secret}" } 'AKIDCLIENT', 'AKIDR';
"$client allow=write buckets=mine-*; $reader allow=read; location / { s3_resign on; proxy_pass http://origin_a; }"
--- request eval: requests('grants')
--- more_headers eval: headers('grants')
--- error_code eval: [200, 403, 403, 200]
--- response_body_like eval: ['verified yes', s3_error('AccessDenied', 'Access Denied'), s3_error('AccessDenied', 'Access Denied'), 'verified']

=== TEST 17: the region of s3_region
--- config eval: with('s3_region eu-west-1;')
--- request eval: requests('regions')
--- more_headers eval: headers('regions')
--- error_code eval: [200, 400, 400]
--- response_body_like eval: ['verified yes', (s3_error('AuthorizationHeaderMalformed', 'eu-west-1')) x 2]

=== TEST 18: without a signature, whatever s3_anonymous says
--- config eval: with('s3_anonymous on;')
--- request eval: requests('unsigned')
--- more_headers eval: headers('unsigned')
--- refused: 403 AccessDenied Access Denied

=== TEST 19: the browser is sent where the form says, were it the origin; not elsewhere there
--- request eval: requests('redirect')
--- more_headers eval: headers('redirect')
--- error_code eval: [303, 502]
--- response_headers_like eval: ["Location: http://$ENV{TEST_NGINX_A}/done\\?bucket=bucket&key=key", '']

=== TEST 20: the new object's address is the client's
--- request eval: requests('created')
--- more_headers eval: headers('created')
--- error_code: 204
--- response_headers
Location: /bucket/key
--- ignore_response_body

=== TEST 21: a body that nginx keeps in a file
--- config eval: with('client_body_in_file_only clean;')
--- request eval: requests('one')
--- more_headers eval: headers('one')
--- passed: A
--- response_body_like eval: "data 300000 $hash"

=== TEST 22: satisfy any does not go past a refused form
--- config eval: with('satisfy any; allow all;')
--- request eval: [map { $forms{bad}{requests}[$_] } 0, 1, 3]
--- more_headers eval: [map { $forms{bad}{headers}[$_] } 0, 1, 3]
--- error_code eval: [403, 403, 403]
--- no_error_log
connect to 127.0.0.1

=== TEST 23: a client that leaves in the middle
--- raw_request eval: my $form = raw('POST /t23', S3Sign::v4_form(path => '/t23', file => $large)); [substr $form, 0, 200_000]
--- timeout: 0.1
--- abort
--- ignore_response

=== TEST 24: no origin has heard of it
--- request
GET /_log/t23
--- response_body:

=== TEST 25: Expect: 100-continue
--- raw_request eval
my $form = raw('POST /bucket', S3Sign::v4_form(path => '/bucket', headers => ['expect', '100-continue']));
[$form =~ /\A(.*?\r\n\r\n)(.*)\z/s]
--- raw_request_middle_delay: 0.05
--- error_code: 100
--- response_body_like: ^HTTP/1\.1 200 .*verified yes.*data 5 2cf24dba

=== TEST 26: a head that cannot be right is answered before
--- raw_request eval
my $form = raw('POST /bucket/key', S3Sign::v4_form(path => '/bucket/key', headers => ['expect', '100-continue']));
[$form =~ /\A(.*?\r\n\r\n)(.*)\z/s]
--- raw_request_middle_delay: 0.05
--- refused: 405 MethodNotAllowed

=== TEST 27: the connection is used again
--- http_config
    upstream u { server $TEST_NGINX_A; keepalive 1; s3_origin default $TEST_NGINX_CRED_A; }
--- config eval: with('proxy_http_version 1.1; proxy_set_header Connection "";', 'u')
--- request eval: [map { $forms{one}{requests}[0] } 1 .. 3]
--- more_headers eval: [map { $forms{one}{headers}[0] } 1 .. 3]
--- response_body_like eval: [map { "connection \\d+ request $_\n.*data 300000 $hash" } 1 .. 3]

=== TEST 28: errors in the other style
--- config eval: with('s3_errors s3proxy; error_page 400 403 /other;')
--- request eval: $forms{bad}{requests}[0]
--- more_headers eval: $forms{bad}{headers}[0]
--- error_code: 403
--- response_headers
Content-Type: application/json
--- response_body_like: ^\{"error": "The request signature

=== TEST 29: streamed: good ones
--- config eval: with($unbuffered)
--- request eval: requests('streamed')
--- more_headers eval: headers('streamed')
--- error_code eval: [(200) x @streamed]
--- response_body_like eval
[map { my %o = (file => 'hello', @$_); "verified yes\n.*field (?i:key): key\n.*data " . length($o{file}) . ' ' . Digest::SHA::sha256_hex($o{file}) } @streamed]
--- no_error_log
temporary file

=== TEST 30: streamed: cut in two at every byte
--- config eval: with($unbuffered)
--- init
my $form = raw('POST /bucket', S3Sign::v4_form(path => '/bucket', file => "\r\n--$boundary" =~ s/o\z//r));
all_like([exchange([map { [substr($form, 0, $_), substr $form, $_] } 1 .. length($form) - 1])],
    (qr/ 200 .*verified yes.*data 17 /s) x (length($form) - 1));
--- request
GET /_log/t30
--- response_body:

=== TEST 31: streamed: piece by piece
--- config eval: with($unbuffered)
--- raw_request eval
[unpack '(a3)*', raw('POST /bucket', S3Sign::v4_form(path => '/bucket', file => "a\r\n--oOoBoundary\r\n" x 2))]
--- raw_request_middle_delay: 0.001
--- passed: A
--- response_body_like: data 36 

=== TEST 32: streamed: what is behind the file stays here, and its length goes
--- config eval: with($unbuffered)
--- init
my $part = qq(--$boundary\r\nContent-Disposition: form-data; name="submit"\r\n\r\n);
my @behind = ("$part" . "send\r\n--$boundary--\r\n", $part . 'secret' x 50_000 . "\r\n--$boundary--\r\n", "--$boundary--", "--$boundary--\r\n", "--$boundary--\r\nepilogue", "--$boundary--epilogue");
my @forms = map { my $behind = $_; [file => $large, edit_body => sub { $_[0] =~ s/--$boundary--\r\n/$behind/r }] } @behind;
my @wanted = map { my $n = length($_) - length("--$boundary--\r\n"); $n > 0 ? qr/ 200 .*verified yes.*padding $n\ndata 300000 $hash/s : qr/ 200 .*verified yes(?!.*padding).*data 300000 $hash/s } @behind;
for my $at (0, 100, 300_000, 300_005, 300_020, 300_022, 300_040) {
    all_like([exchange([map { cut($at, path => '/bucket', @$_) } @forms])], @wanted);
}
--- request
GET /_log/t32
--- response_body:

=== TEST 33: streamed: bad ones
--- config eval: with($unbuffered)
--- request eval: requests('small')
--- more_headers eval: headers('small')
--- error_code eval: [map { $_->[0] =~ /^(\d+)/ } @small]
--- response_body_like eval: [map { my ($code, $words) = $_->[0] =~ /^\d+ (\S+) (.*)/; "<Code>$code</Code><Message>[^<]*" . $words =~ s/.quot;/&quot;/gr } @small]
--- no_error_log
connect to 127.0.0.1

=== TEST 34: streamed: one that is refused is refused before its file is there
--- config eval: with("$unbuffered client_body_timeout 60s;")
--- raw_request eval: [map { substr raw('POST /t7', $forms{late}{headers}[$_], $forms{late}{requests}[$_] =~ s/^[^\n]*\n//r), 0, 20_000 } 0]
--- timeout: 2
--- refused: 403 SignatureDoesNotMatch

=== TEST 35: streamed: what is wrong behind the beginning of the file comes out late, and the origin lacks the end
--- config eval: with($unbuffered)
--- init
for my $at (0, 1, 2990) {
    all_like([exchange([map { my ($code, @o) = @$_; cut($at, path => '/t35', @o) } @late], pause => 0.05)], map {qr/ 400 .*<Code>$_->[0]</s} @late);
}
--- request
GET /_log/t35
--- response_body_like: ^(?:A incomplete unverified [^\n]*\n)+$

=== TEST 36: streamed: a client that leaves at any byte of the file or behind it
--- config eval: with($unbuffered)
--- init
my $form = raw('POST /t36', S3Sign::v4_form(path => '/t36', file => 'hello'));
$form =~ /hello/ or die;
exchange([map { [substr $form, 0, $_] } $-[0] .. length($form) - 1], pause => 0.05, leave => 1);
--- request
GET /_log/t36
--- response_body_like: ^(?:A incomplete unverified [^\n]*\n)*$

=== TEST 37: streamed: the origin has the fields, and the beginning of the file, while the client holds back the rest
--- config eval: with("$unbuffered client_body_timeout 60s;")
--- init
my @start = map { cut($_->[0], path => '/t37', file => $large, headers => ['x-mock', "A=partial:$_->[1]"])->[0] } [0, 700], [50_000, 50_000];
all_like([exchange([map { [$_] } @start])], (qr/ 502 /) x 2);
--- request
GET /_log/t37
--- response_body_like: ^(?:A partial unverified body=\d{3,4} [^\n]*\nA partial unverified body=5\d{4} [^\n]*\n|A partial unverified body=5\d{4} [^\n]*\nA partial unverified body=\d{3,4} [^\n]*\n)$

=== TEST 38: streamed: a try that nobody took is made again elsewhere, written and signed anew
--- http_config eval: $dead
--- config eval: with($unbuffered, 'u')
--- raw_request eval: cut(100, path => '/bucket', file => $large)
--- raw_request_middle_delay: 0.1
--- passed: B
--- response_body_like eval: "key AKIDORIGINB\n.*data 300000 $hash"

=== TEST 39: streamed: one that has begun is not
--- http_config
    upstream u {
        server $TEST_NGINX_A max_fails=0; server $TEST_NGINX_B backup;
        s3_origin $TEST_NGINX_A $TEST_NGINX_CRED_A; s3_origin $TEST_NGINX_B $TEST_NGINX_CRED_B;
    }
--- config eval: with("$unbuffered proxy_next_upstream error http_503 non_idempotent;", 'u')
--- init
all_like([exchange([map { cut(1000, path => '/t39', file => $large, headers => ['x-mock', "A=$_"]) } 'partial:900', 'early:503'])], qr/ 502 /, qr/ 50[23] /);
--- request
GET /_log/t39
--- response_body_like: ^(?:A (?:partial|early-503) unverified [^\n]*\n){2}$

=== TEST 40: streamed: another location goes on, if nothing has been sent
--- http_config
    upstream u { server $TEST_NGINX_DEAD; s3_origin default $TEST_NGINX_CRED_A; }
--- config eval
"$ENV{TEST_NGINX_CLIENT} client_body_buffer_size 1k; location / { s3_resign on; proxy_pass http://u; proxy_request_buffering off; error_page 502 = \@on; }
location \@on { s3_resign on; proxy_pass http://origin_b; }"
--- raw_request eval: cut(100, path => '/bucket', file => $large)
--- raw_request_middle_delay: 0.1
--- passed: B
--- response_body_like eval: "data 300000 $hash"

=== TEST 41: streamed: else not; nor does it leave for one that does not sign, or lets in others
--- http_config
    upstream u { server $TEST_NGINX_DEAD; s3_origin default $TEST_NGINX_CRED_A; }
--- config eval
"$ENV{TEST_NGINX_CLIENT} client_body_buffer_size 1k; proxy_request_buffering off; proxy_intercept_errors on;
location /t41-off { s3_resign on; proxy_pass http://u; error_page 502 = \@off; }
location /t41-other { s3_resign on; proxy_pass http://u; error_page 502 = \@other; }
location /t41 { s3_resign on; proxy_pass http://origin_a; error_page 502 = \@on; }
location \@on { s3_resign on; proxy_pass http://origin_b; }
location \@off { s3_resign off; proxy_pass http://origin_b; }
location \@other { s3_resign on; proxy_pass http://origin_b; s3_client AKIDOTHER secret_key=x; }"
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
--- config eval: with($unbuffered . 'proxy_http_version 1.0;')
--- request eval: requests('one')
--- more_headers eval: headers('one')
--- passed: A
--- response_body_like eval: "data 300000 $hash"

=== TEST 43: streamed: after a refused form the connection to the origin is not used again
--- http_config
    upstream u { server $TEST_NGINX_A; keepalive 1; s3_origin default $TEST_NGINX_CRED_A; }
--- config eval: with("$unbuffered proxy_http_version 1.1; proxy_set_header Connection '';", 'u')
--- init
my @forms = map { cut(100, path => '/t43', file => $large, @$_) } [], [], [more => [['content-length-range', 0, 1000]]], [];
all_like([map { exchange([$_]) } @forms], qr/request 1\n.*data/s, qr/request 2\n.*data/s, qr/EntityTooLarge/, qr/request 1\n.*data/s);
--- request
GET /_log/t43
--- response_body_like: ^(?:A 200 verified [^\n]*\n){2}A incomplete unverified [^\n]*\nA 200 verified [^\n]*\n$

=== TEST 44: streamed: Expect: 100-continue
--- config eval: with($unbuffered)
--- raw_request eval
my $form = raw('POST /bucket', S3Sign::v4_form(path => '/bucket', headers => ['expect', '100-continue']));
[$form =~ /\A(.*?\r\n\r\n)(.*filename)(.*)\z/s]
--- raw_request_middle_delay: 0.05
--- error_code: 100
--- response_body_like: ^HTTP/1\.1 200 .*verified yes.*data 5 2cf24dba

=== TEST 45: streamed: a client that stalls, in its fields or in its file
--- http_config
    log_format line '$uri $status';
--- config eval: with("$unbuffered client_body_timeout 100ms; access_log logs/access.log line;")
--- init
all_like([exchange([map { [substr cut($_, path => '/t45', file => $large)->[0], 0, 900 + $_] } 0, 10_000])], (qr/^$/) x 2);
--- request
GET /_log/t45
--- response_body_like: ^A incomplete unverified [^\n]*\n$
--- access_log
/t45 408
/t45 408

=== TEST 46: streamed: time spent on other checks is not the client's
--- skip_eval: 2: S3Test::lacks('http_auth_request_module')
--- http_config
    limit_req_zone $server_name zone=slow:64k rate=4r/s;
--- config eval: with("$unbuffered client_body_timeout 100ms; auth_request /auth;") . 'location = /auth { limit_req zone=slow burst=2; empty_gif; }'
--- init
all_like([exchange([map { cut(100, path => '/t46', file => $large) } 1, 2])], (qr/verified yes.*data 300000 $hash/s) x 2);
--- request
GET /_log/t46
--- response_body_like: ^(?:A 200 verified [^\n]*\n){2}$

=== TEST 47: streamed: the next request of the connection, sent along
--- config eval: with($unbuffered)
--- init
my @form = @{ cut(100, path => '/t47', file => $large, headers => ['connection', 'keep-alive']) };
my $next = raw('GET /t47/key', h4(path => '/t47/key', host => 'localhost'));
all_like([exchange([[$form[0], $form[1] . $next], [@form[0, 1], $next]])], (qr/verified yes.*line POST.*data 300000 $hash\nHTTP.*verified yes.*line GET/s) x 2);
--- request
GET /_log/t47/key
--- response_body_like: ^(?:A 200 verified [^\n]*\n){2}$

=== TEST 48: one without a length is read whole: the origin wants to know it
--- config eval: with("$unbuffered proxy_http_version 1.1;")
--- request eval: forms([file => $large, te => 5000])->{requests}
--- more_headers eval: forms([file => $large, te => 5000])->{headers}
--- passed: A
--- response_body_like eval: "header Content-Length: 30\\d+\n.*data 300000 $hash"
--- error_log
a client request body is buffered to a temporary file

=== TEST 49: streamed: V2 forms, ${filename}, grants and regions
--- config eval
my ($client, $reader) = map { "s3_client $_ secret_key=$S3Sign::Default{secret}" } 'AKIDCLIENT', 'AKIDR';
my $grants = "$client allow=write buckets=mine-*; $reader allow=read;";
"$ENV{TEST_NGINX_CLIENT} $unbuffered proxy_set_header X-Y ''; location / { s3_resign on; proxy_pass http://origin_a; s3_signature_v2 on; }
location ~ ^/(mine|yours) { $grants s3_resign on; proxy_pass http://origin_a; }"
--- request eval: [map { @{ requests($_) } } qw(v2 names grants)]
--- more_headers eval: [map { @{ headers($_) } } qw(v2 names grants)]
--- error_code eval: [200, 200, 403, 403, 400, 400, 400, 403, 403, (200) x @names, 200, 403, 403, 200]
--- response_body_like eval
['verified yes', "verified yes.*data 300000 $hash", ('<Code>') x 7, (map { "verified yes\n.*field key: user/\Q$_->[1]\E\n" } @names), 'verified yes', ('AccessDenied') x 2, 'verified']

=== TEST 50: streamed: satisfy any does not go past a refused form
--- config eval: with("$unbuffered satisfy any; allow all;")
--- request eval: [map { $forms{bad}{requests}[$_] } 0, 1, 3]
--- more_headers eval: [map { $forms{bad}{headers}[$_] } 0, 1, 3]
--- error_code eval: [403, 403, 403]
--- no_error_log
connect to 127.0.0.1

=== TEST 51: streamed: a retry of one that was there at once is made from memory
--- config eval: with('proxy_request_buffering off; client_body_buffer_size 2m; proxy_next_upstream error non_idempotent;', 'origin_ab')
--- request eval: my $form = forms([headers => ['x-mock', 'A=drop']]); $form->{requests}
--- more_headers eval: forms([headers => ['x-mock', 'A=drop']])->{headers}
--- passed: B
--- response_body_like: data 5 2cf24dba

=== TEST 52: auth_request asks another server about a form, whose body stays here
--- skip_eval: 4: S3Test::lacks('http_auth_request_module')
--- config eval
"$ENV{TEST_NGINX_CLIENT} auth_request /auth; location /on { s3_resign on; proxy_pass http://origin_a; }
location /off { s3_resign on; proxy_pass http://origin_a; $unbuffered }
location = /auth { proxy_pass http://$ENV{TEST_NGINX_B}; proxy_pass_request_body off; proxy_set_header Content-Length ''; }"
--- request eval: my $forms = forms([path => '/on'], [path => '/off']); $forms->{requests}
--- more_headers eval: forms([path => '/on'], [path => '/off'])->{headers}
--- error_code eval: [200, 200]
--- response_body_like eval: [("^origin A\nverified yes.*data 5 2cf24dba") x 2]
