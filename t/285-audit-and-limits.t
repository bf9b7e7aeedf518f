# The examples of an audit log and of limits for each key, as they stand in nginx/examples.
#
# Lines of the log are read by the regular expression of the table that AWS documents for Athena:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-s3-access-logs-to-identify-requests.html

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test ':running';
use HTTP::Tiny;
use JSON::PP ();
use S3Sign;
use Test::Nginx::Socket 'no_plan';
use Time::HiRes qw(sleep time);

my $port = $ENV{TEST_NGINX_PORT};
workers(1);

# A field, one in brackets, one in quotes, and a status; the last nine are those that came later.
my $field   = '([^ ]*)';
my $quoted  = '("[^"]*"|-)';
my $athena  = join ' ', $field, $field, '\[(.*?)\]', ($field) x 5, $quoted, '(-|[0-9]*)', ($field) x 6, $quoted, $field;
our $line   = qr/\A$athena(?:@{[' ([^ ]*)' x 9]})?.*\z/;
our @fields = qw(bucketowner bucket_name requestdatetime remoteip requester requestid operation key request_uri httpstatus errorcode
    bytessent objectsize totaltime turnaroundtime referrer useragent versionid hostid sigv ciphersuite authtype endpoint
    tlsversion accesspointarn aclrequired sourceregion);

sub example {
    my $name = shift;
    open my $in, '<', "$FindBin::Bin/../nginx/examples/$name.conf" or die "$name: $!";
    local $/;
    my ($http) = <$in> =~ /^http \{\n(.*)^    upstream /ms or die "$name has no http";
    return $http =~ s{/var/log/nginx/}{logs/}gr;
}
our $audit = example('audit-log');

# The limits for each key, with a request a minute, which a busy machine cannot outrun, and two more at once, and an upload
# at a time; and their locations.
our $limits = example('limits-by-key') =~ s{rate=\K50r/s}{1r/m}r;
our ($limited) = do {
    open my $in, '<', "$FindBin::Bin/../nginx/examples/limits-by-key.conf" or die $!;
    local $/;
    <$in> =~ m{^( *location / \{.*^        \}\n)    \}\n\}}ms;
};
$limited =~ s{http://s3;}{http://origin_a;};
$limited =~ s{burst=100}{burst=2};
$limited =~ s{uploads 8}{uploads 1};
our $clients = 's3_resign on; ' . join ' ', map {"s3_client AKID$_ secret_key=s;"} qw(ONE TWO THREE BATCH);

# The lines of the log since it was read last in this block, in one of the formats: as many as were asked for.
my %read;
sub lines_of {
    my ($name, $count) = @_;
    my @lines;
    wait_until(sub {
        my $log = slurp("logs/s3_access.$name");
        @lines = length $log > ($read{$name} // 0) ? substr($log, $read{$name} // 0) =~ /([^\n]*)\n/g : ();
        return @lines >= $count;
    }, "$count lines in $name");
    $read{$name} += length() + 1 for @lines;
    return @lines;
}

# Sends bytes as they are; the status of the answer.
sub send_raw {
    my $socket = IO::Socket::INET->new("127.0.0.1:$port") or die "connect: $!";
    print $socket $_[0];
    my $answer = '';
    { local $/; local $SIG{ALRM} = sub { close $socket }; alarm 30; $answer = <$socket> // ''; alarm 0 }
    return $answer =~ m{\AHTTP/1\.1 (\d+)} ? $1 : 0;
}

# What is asked, by curl's name of the protocol where it is another one.
sub asked {
    my ($method, $target, $headers, $body) = @_;
    $body //= '';
    my @lines = map {"$_\r\n"} grep {length} split /\n/, $headers;
    push @lines, 'Content-Length: ' . length($body) . "\r\n" if length $body;
    return send_raw("$method $target HTTP/1.1\r\n" . join('', @lines) . "Connection: close\r\n\r\n$body");
}

# The fields of the line that a request has left, by name, and its JSON.
sub logged_of {
    my ($what) = @_;
    my ($log)  = lines_of('log', 1);
    my ($json) = lines_of('json', 1);
    my %is;
    @is{@fields} = $log =~ $line or main::fail("$what: $log");
    main::is(scalar(split / /, $log =~ s/"[^"]*"|\[[^]]*\]/x/gr), 27, "$what: 27 fields") or main::diag($log);
    my $object = eval { JSON::PP->new->utf8->decode($json) } or main::fail("$what: $@ $json");
    return (\%is, $object, $log);
}

# As asked(), for many: what, expected fields, expected of the JSON.
sub table {
    my @rows = @_;
    %read = ();
    for my $name (qw(log json)) { $read{$name} = length slurp("logs/s3_access.$name") }
    for my $row (@rows) {
        my ($what, $send, $fields, $json) = @$row;
        $send->();
        my ($is, $object, $log) = logged_of($what);
        for my $name (sort keys %$fields) {
            my $want = $fields->{$name};
            ref $want ? main::like($is->{$name}, $want, "$what: $name") : main::is($is->{$name}, $want, "$what: $name");
        }
        for my $name (sort keys %{ $json // {} }) {
            my $want = $json->{$name};
            ref $want ? main::like($object->{$name}, $want, "$what: JSON's $name") : main::is($object->{$name}, $want, "$what: JSON's $name");
        }
        main::unlike($log, qr/[0-9a-f]{64}.*[0-9a-f]{64}/, "$what: no signature");
    }
}

our %client = (key => 'AKIDCLIENT', secret => $ENV{TEST_NGINX_CLIENT_SECRET}, host => 'localhost');
sub signed {
    my ($method, $path, %o) = @_;
    my ($bare, $query) = split /\?/, $path, 2;
    return [$method, $path, S3Sign::v4_headers(%client, method => $method, path => $bare, query => $query // '', %o), $o{body}];
}
sub presigned {
    my ($method, $path, %o) = @_;
    my ($bare, $query) = split /\?/, $path, 2;
    return [$method, S3Sign::v4_target(%client, method => $method, path => $bare, query => $query // '', %o), "Host: localhost\n"];
}

prepare();
run_tests();

__DATA__

=== TEST 1: each kind of request, as Athena reads it
--- http_config eval: $::audit
--- config
    s3_client AKIDCLIENT secret_key=$TEST_NGINX_CLIENT_SECRET account=acme;
    s3_client AKIDREADER secret_key=r account=acme allow=list;
    s3_signature_v2 on;
    location / { s3_resign on; s3_origin account=acme $TEST_NGINX_CRED_A; proxy_pass http://$TEST_NGINX_A; }
    location /public/ { s3_resign on; s3_client AKIDCLIENT secret_key=$TEST_NGINX_CLIENT_SECRET; s3_anonymous sign; s3_origin $TEST_NGINX_CRED_A; proxy_pass http://$TEST_NGINX_A; }
--- init
my $go = sub { my $asked = shift; sub { asked(@$asked) } };
my %common = (remoteip => '127.0.0.1', requestid => qr/^[0-9a-f]{32}$/, requestdatetime => qr{^\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [-+]\d{4}$},
    totaltime => qr/^\d+$/, endpoint => 'localhost', ciphersuite => '-', tlsversion => '-', accesspointarn => '-', aclrequired => '-', sourceregion => '-');
my %known = (%common, bucketowner => 'acme', requester => 'AKIDCLIENT', sigv => 'SigV4', authtype => 'AuthHeader', turnaroundtime => qr/^\d+$/);
table(
    ['an object', $go->(signed('GET', '/bucket/a%20b/%22c%22%0Ad?versionId=v.1')),
        { %known, bucket_name => 'bucket', operation => 'REST.GET.OBJECT', key => 'a%20b/%22c%22%0Ad', httpstatus => 200, errorcode => '-',
            bytessent => qr/^\d+$/, objectsize => qr/^\d+$/, referrer => '"-"', useragent => '"-"', versionid => 'v.1', hostid => '-',
            request_uri => '"GET /bucket/a%20b/%22c%22%0Ad?versionId=v.1 HTTP/1.1"' },
        { key => 'a%20b/%22c%22%0Ad', operation => 'GetObject', requester => 'AKIDCLIENT', account => 'acme', status => 200, user_agent => '' }],
    ['a part of an object', $go->(signed('GET', '/bucket/key', headers => [Range => 'bytes=0-9'], unsigned => ['X-Mock' => 'A=range'])),
        { %known, httpstatus => 206, bytessent => 10, objectsize => 3000 }, { bytes_sent => 10, object_size => 3000 }],
    ['a head', $go->(signed('HEAD', '/bucket/key')), { %known, operation => 'REST.HEAD.OBJECT', bytessent => '-', objectsize => qr/^\d+$/ }],
    ['an upload', $go->(signed('PUT', '/bucket/key', body => 'hello', unsigned => ['User-Agent' => 'a "b" \\ c', Referer => "https://a/?b=\"c\""])),
        { %known, operation => 'REST.PUT.OBJECT', objectsize => 5, useragent => '"a \x22b\x22 \x5C c"', referrer => '"https://a/?b=\x22c\x22"' },
        { user_agent => 'a "b" \\ c', referer => 'https://a/?b="c"', object_size => 5 }],
    ['a part of an upload', $go->(signed('PUT', '/bucket/key?partNumber=1&uploadId=u', body => 'hello')),
        { %known, operation => 'REST.PUT.PART', objectsize => 5 }],
    ['a copy', $go->(signed('PUT', '/bucket/key', headers => ['x-amz-copy-source' => '/other/k'])), { %known, operation => 'REST.COPY.OBJECT', objectsize => '-' }],
    ['a list', $go->(signed('GET', '/bucket?list-type=2&prefix=a%20b')), { %known, operation => 'REST.GET.BUCKET', key => '-' }],
    ['all buckets', $go->(signed('GET', '/')), { %known, operation => 'REST.GET.SERVICE', bucket_name => '-', key => '-' }],
    ['a policy', $go->(signed('GET', '/bucket?policy', query => 'policy=')), { %known, operation => 'REST.GET.BUCKETPOLICY' }],
    ['objects deleted', $go->(signed('POST', '/bucket?delete', query => 'delete=', body => '<Delete/>')), { %known, operation => 'REST.POST.MULTI_OBJECT_DELETE' }],
    ['no known operation', $go->(signed('GET', '/bucket/key?unheard-of=1')), { %known, operation => '-' }],
    ['presigned', $go->(presigned('GET', '/bucket/key')),
        { %known, authtype => 'QueryString', request_uri => qr{^"GET /bucket/key\?X-Amz-Algorithm=\S+&X-Amz-Signature=- HTTP/1\.1"$} }],
    ['presigned by V2', sub { asked('GET', S3Sign::v2_target(%::client, path => '/bucket/key'), "Host: localhost\n") },
        { %known, sigv => 'SigV2', authtype => 'QueryString', request_uri => qr{^"GET /bucket/key\?AWSAccessKeyId=AKIDCLIENT&.*Signature=-.* HTTP/1\.1"$} }],
    ['signed by V2', sub { asked('GET', '/bucket/key', S3Sign::v2_headers(%::client, path => '/bucket/key')) }, { %known, sigv => 'SigV2' }],
    ['granted', $go->(['GET', '/public/key', "Host: localhost\n"]),
        { %common, bucketowner => '-', requester => '-', sigv => '-', authtype => '-', operation => 'REST.GET.OBJECT', httpstatus => 200 }],
    ['a preflight', $go->(['OPTIONS', '/bucket/key', "Host: localhost\nOrigin: https://a\nAccess-Control-Request-Method: PUT\n"]),
        { %common, requester => '-', operation => 'REST.OPTIONS.PREFLIGHT', sigv => '-' }],
    ['the error of an origin', $go->(signed('GET', '/bucket/key', unsigned => ['X-Mock' => 'A=404:NoSuchKey'])),
        { %known, httpstatus => 404, errorcode => 'NoSuchKey', objectsize => '-' }, { error => 'NoSuchKey' }],
    ['an origin that does not answer', $go->(signed('GET', '/bucket/key', unsigned => ['X-Mock' => 'A=close'])),
        { %known, httpstatus => 502, errorcode => 'InternalError', turnaroundtime => '-' }],
    ['a wrong signature', $go->(signed('GET', '/bucket/key', tamper => 1)),
        { %common, bucketowner => '-', requester => '-', httpstatus => 403, errorcode => 'SignatureDoesNotMatch', hostid => qr/^[0-9a-f]{64}$/, turnaroundtime => '-' },
        { claimed_key => 'AKIDCLIENT', requester => '' }],
    ['an unknown key', $go->(signed('GET', '/bucket/key', key => 'AKIDNOBODY')), { %common, requester => '-', errorcode => 'InvalidAccessKeyId' }],
    ['what the client may not do', $go->(signed('GET', '/bucket/key', key => 'AKIDREADER', secret => 'r')),
        { %common, requester => 'AKIDREADER', httpstatus => 403, errorcode => 'AccessDenied' }],
    ['no signature', $go->(['GET', '/bucket/key', "Host: localhost\n"]), { %common, requester => '-', errorcode => 'AccessDenied', sigv => '-' },
        { claimed_key => '' }],
);
--- signed: GET /bucket/key
--- no_error_log
[alert]

=== TEST 2: nobody can forge a field or a line
--- http_config eval: $::audit
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; }
--- init
my $evil = qq{"\\x22 \\" - - x\x7f\x80\xff};
my $with = sub { my ($name, $value) = @_; sub { asked('GET', '/bucket/key', "Host: localhost\n$name: $value\n") } };
my %is = (requester => '-', httpstatus => qr/^[45]\d\d$/, operation => qr/^(?:REST\.\w+\.\w+|-)$/, sigv => qr/^(?:SigV[24]|-)$/, sourceregion => '-');
my $auth = sub { my $key = shift; "AWS4-HMAC-SHA256 Credential=$key/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=" . 'a' x 64 };
table(
    ['a user agent', $with->('User-Agent', $evil), { %is, useragent => '"\x22\x5Cx22 \x5C\x22 - - x\x7F\x80\xFF"' }, { user_agent => '(not ASCII)' }],
    ['a referer', $with->('Referer', $evil), { %is, referrer => '"-"' }, { referer => '-' }],
    ['a referer with a quote', $with->('Referer', 'https://a/"\\x'), { %is, referrer => '"https://a/\x22\x5Cx"' }, { referer => 'https://a/"\\x' }],
    ['a host', sub { asked('GET', '/bucket/key', qq{Host: a"b\\\xff\n}) }, { %is, endpoint => qr/^(?:a\\x22b\\x5C\\xFF|localhost)$/ }, { host => qr/^(?:\(not ASCII\)|localhost)$/ }],  # nginx 1.29.5 rejects it
    ['an access key', $with->('Authorization', $auth->(qq{A" - \\K})), { %is }],
    ['an access key that is not ASCII', $with->('Authorization', $auth->("A\xffK")), { %is }],
    ['a key', sub { asked('GET', qq{/b"u\\c/k"e\\y\xff?versionId=a"b\\\xff&x="}, "Host: localhost\n") },
        { %is, bucket_name => 'b%22u%5Cc', key => 'k%22e%5Cy%FF', versionid => '-' }, { request => '(not ASCII)', key => 'k%22e%5Cy%FF' }],
    ['a query', sub { asked('GET', '/bucket/key?X-Amz-Signature="&a="%22', "Host: localhost\n") }, { %is, request_uri => qr/^"GET [^"]* HTTP\/1\.1"$/ }],
    ['a method', sub { asked('G_T', '/bucket/key', "Host: localhost\n") }, { requester => '-' }],
    ['no request', sub { send_raw(qq{"GET" "/x" - -\n"\n\n}) }, { requester => '-', httpstatus => 400 }],
    ['a line break', sub { send_raw("GET /bucket/key HTTP/1.1\r\nHost: localhost\r\nUser-Agent: a\rb\x0bc\r\nConnection: close\r\n\r\n") }, { requester => '-' }],
    ['spaces', sub { send_raw("GET /bucket/a b?versionId=a b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n") }, { requester => '-', httpstatus => 400 }],
);
# A hostile origin: what it says of itself.
for my $header ("x-amz-id-2: a b \"c\" - -", "x-amz-id-2: \xff\"", "ETag: \"\"") {
    my $answer = unpack 'H*', "HTTP/1.1 404 X\r\nContent-Type: application/xml\r\n$header\r\nContent-Length: 59\r\n\r\n<Error><Code>No \"x\" - Such</Code><Message>m</Message></Error>";
    table(['an origin', sub { asked(@{ signed('GET', '/bucket/key', unsigned => ['X-Mock' => "A=raw:$answer"]) }) },
        { requester => 'AKIDCLIENT', errorcode => qr/^(?:-|InternalError)$/, hostid => qr/^(?:-|[0-9a-f]{64})$/, sourceregion => '-' }]);
}
--- signed: GET /bucket/key
--- no_error_log
[alert]

=== TEST 3: over HTTP/2
--- skip_eval: 6: S3Test::no_http2()
--- http2
--- http_config eval: $::audit
--- config
    $TEST_NGINX_CLIENT
    access_log logs/access.log s3_access;
    location / { s3_resign on; proxy_pass http://origin_a; }
--- signed: GET /bucket/a%20b
--- passed: A
--- access_log eval
[qr{^- bucket \[[^]]+\] 127\.0\.0\.1 AKIDCLIENT [0-9a-f]{32} REST\.GET\.OBJECT a%20b "GET /bucket/a%20b HTTP/2\.0" 200 - \d+ \d+ \d+ \d+ "-" "[^"]*" - - SigV4 - AuthHeader \S+ - - - -$}m]

=== TEST 4: who asks for too much is told to slow down, and nobody else is
--- http_config eval: $::limits
--- config eval: "$::clients $::limited"
--- signed
GET /bucket/key key=AKIDONE secret=s
GET /bucket/key key=AKIDONE secret=s
GET /bucket/key key=AKIDONE secret=s
GET /bucket/key key=AKIDONE secret=s
GET /bucket/key key=AKIDTWO secret=s
--- answers
3x 200 ^origin A\nverified yes
503 error SlowDown
200 ^origin A\nverified yes
--- response_headers eval: ["!Retry-After", "!Retry-After", "!Retry-After", "Retry-After: 1", "!Retry-After"]

=== TEST 5: a stranger cannot use up what belongs to a key
--- http_config eval: $::limits
--- config eval: "$::clients $::limited"
--- signed
20x GET /bucket/key key=AKIDONE secret=wrong
5x GET /bucket/key key=AKIDONE secret=s skew=-1h
5x presigned GET /bucket/key key=AKIDONE secret=wrong
5x unsigned GET /bucket/key
3x GET /bucket/key key=AKIDONE secret=s
--- answers
20x 403 error SignatureDoesNotMatch
5x 403 error RequestTimeTooSkewed
5x 403 error SignatureDoesNotMatch
5x 403 error AccessDenied
3x 200 ^origin A\nverified yes

=== TEST 6: each way of sending a body goes through both locations
--- http_config eval: $::limits
--- config eval: "$::clients $::limited"
--- signed
PUT /bucket/key key=AKIDONE secret=s body=hello
upload PUT /bucket/key key=AKIDONE secret=s body=hello
form POST /bucket key=AKIDTWO secret=s form_key=key file=hello
presigned PUT /bucket/key key=AKIDTWO secret=s sent=hello
upload PUT /bucket/key key=AKIDTHREE secret=s kind=unsigned body=hello te=2
upload PUT /bucket/key key=AKIDTHREE secret=s body=hello cut=9
--- answers
200 ^origin A\nverified yes\n.*body 5 2cf24dba
200 ^origin A\nverified yes\n.*data 5 2cf24dba
200 ^origin A\nverified yes\n.*data 5 2cf24dba
200 ^origin A\nverified yes\n.*body 5 2cf24dba
200 ^origin A\nverified yes\n.*data 5 2cf24dba
400 error IncompleteBody

=== TEST 7: one upload at a time, and as many downloads as there are
--- http_config eval: $::limits
--- config eval: "$::clients $::limited"
--- init
my $start = sub {
    my ($method, $path, $key, $body) = @_;
    my $socket = IO::Socket::INET->new("127.0.0.1:$ENV{TEST_NGINX_PORT}") or die "connect: $!";
    my $headers = S3Sign::v4_headers(method => $method, path => $path, key => $key, secret => 's', host => 'localhost', body => $body // '');
    print $socket map {"$_\r\n"} "$method $path HTTP/1.1", split(/\n/, $headers), 'Connection: close',
        defined $body ? ('Expect: 100-continue', 'Content-Length: ' . length $body) : (), '';
    return $socket;
};
my $status = sub { my $socket = shift; local $/; (<$socket> // '') =~ m{^HTTP/1\.1 (\d+)}m ? $1 : '-' };
# nginx says that it goes on once the upload is counted.
my $first = $start->('PUT', '/t7/one', 'AKIDONE', 'hello');
like(join('', map { scalar <$first> } 1, 2), qr{^HTTP/1\.1 100 }, 'an upload has begun');
is($status->($start->('PUT', '/t7/two', 'AKIDONE', 'hello')), 503, 'a second one of the same key is told to wait');
is($status->($start->('GET', '/t7/three', 'AKIDONE')), 200, 'a download is none');
my $other = $start->('PUT', '/t7/four', 'AKIDTWO', 'hello');
like(join('', map { scalar <$other> } 1, 2), qr{^HTTP/1\.1 100 }, 'another key may');
for my $upload ($first, $other) {
    print $upload 'hello';
    is($status->($upload), 200, 'it ends');
}
--- signed: GET /bucket/key key=AKIDBATCH secret=s
