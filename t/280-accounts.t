# Accounts: each client goes to the origins that have keys for its account, with these keys and no others.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test ':running';
use HTTP::Tiny;
use S3Sign;
use Test::Nginx::Socket 'no_plan';
use Time::HiRes qw(sleep);

our ($at_a, $at_b, $at_c) = @ENV{qw(TEST_NGINX_A TEST_NGINX_B TEST_NGINX_C)};
my ($acme, $beta) = @ENV{qw(TEST_NGINX_CRED_ACME TEST_NGINX_CRED_BETA)};

# Clients without an account, and of the accounts acme, beta and gamma. The two origins know all of them but gamma, whom
# C knows.
$ENV{TEST_NGINX_CLIENTS} = <<"END";
    $ENV{TEST_NGINX_CLIENT}
    s3_client AKIDOFACME secret_key=s account=acme;
    s3_client AKIDOFACME2 secret_key=s account=acme allow=read;
    s3_client AKIDOFBETA secret_key=s account=beta;
END
$ENV{TEST_NGINX_ORIGINS} = <<"END";
    s3_origin $at_a $ENV{TEST_NGINX_CRED_A};
    s3_origin $at_b $ENV{TEST_NGINX_CRED_B};
    s3_origin $at_a account=acme $acme;
    s3_origin $at_b account=acme $acme;
    s3_origin default account=beta $beta;
END

# An upstream "u" of A and B.
sub http {
    my ($lines, $params_a, $params_b, $origins) = map { $_ // '' } @_[0 .. 3];
    $origins ||= $ENV{TEST_NGINX_ORIGINS};
    return "upstream u { $lines server $at_a $params_a; server $at_b $params_b; $origins }";
}
$ENV{TEST_NGINX_U} = 'location / { s3_resign on; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://u; }';

# Only A has keys for acme, only B for beta; clients without an account go to both.
our $apart = "s3_origin $at_a $ENV{TEST_NGINX_CRED_A}; s3_origin $at_b $ENV{TEST_NGINX_CRED_B};"
    . " s3_origin $at_a account=acme $acme; s3_origin $at_b account=beta $beta;";

# What is sent by a client, in the words of a line.
$ENV{TEST_NGINX_AS_ACME} = 'key=AKIDOFACME secret=s';
$ENV{TEST_NGINX_AS_BETA} = 'key=AKIDOFBETA secret=s';

# A key that an issuer of acme has minted.
my $secret = 'iSsUeR+sEcReT/0123456789abcdefghijklmnop';
$ENV{TEST_NGINX_ISSUER} = "s3_issuer ci secret=$secret";
Blocks::clients(minted => [S3Test::minted($secret, '--issuer', 'ci')]);

# As ask(), with a query, and what origin A is told.
sub told {
    my %o = (method => 'GET', path => '/bucket/key', query => '', host => "127.0.0.1:$ENV{TEST_NGINX_PORT}", @_);
    my %headers = map { split /: /, $_, 2 } split /\n/, S3Sign::v4_headers(%o);
    delete $headers{host};
    my $query = length $o{query} ? "?$o{query}" : '';
    return HTTP::Tiny->new(timeout => 20)->request($o{method}, "http://127.0.0.1:$ENV{TEST_NGINX_PORT}$o{path}$query", { headers => \%headers });
}
our @as_acme = (key => 'AKIDOFACME', secret => 's');
our @as_beta = (key => 'AKIDOFBETA', secret => 's');

# A header that has A answer with this document.
sub document {
    my $xml = shift;
    return (unsigned => ['X-Mock' => 'A=raw:' . unpack 'H*', "HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: "
        . length($xml) . "\r\n\r\n$xml"]);
}

add_test_cleanup_handler(sub { mood("$_=none") for qw(A B C) });
prepare();
run_tests();

__DATA__

=== TEST 1: each way of signing, with the keys of the account
--- http_config eval: http()
--- config
s3_signature_v2 on;
$TEST_NGINX_CLIENTS
$TEST_NGINX_U
--- signed
GET /bucket/key => 200 ^origin A\nverified yes\nauth header\nkey AKIDORIGINA\n
GET /bucket/key => 200 ^origin B\nverified yes\nauth header\nkey AKIDORIGINB\n
GET /bucket/key $TEST_NGINX_AS_ACME => 200 ^origin A\nverified yes\nauth header\nkey AKIDACME\n
GET /bucket/key $TEST_NGINX_AS_ACME => 200 ^origin B\nverified yes\nauth header\nkey AKIDACME\n
GET /bucket/key key=AKIDOFACME2 secret=s => 200 ^origin A\nverified yes\nauth header\nkey AKIDACME\n
PUT /bucket/key key=AKIDOFACME2 secret=s body=hello => 403 error AccessDenied
presigned GET /bucket/key $TEST_NGINX_AS_BETA => 200 ^origin B\nverified yes\nauth query\nkey AKIDBETA\n
presigned GET /bucket/key $TEST_NGINX_AS_ACME => 200 ^origin A\nverified yes\nauth query\nkey AKIDACME\n
signed_v2 GET /bucket/key $TEST_NGINX_AS_BETA => 200 ^origin B\nverified yes\nauth header\nkey AKIDBETA\n
upload PUT /bucket/key $TEST_NGINX_AS_BETA body=hello => 200 ^origin A\nverified yes\nauth header\nkey AKIDBETA\n
form POST /bucket $TEST_NGINX_AS_ACME form_key=key file=hello => 200 ^origin B\nverified yes\nauth form\nkey AKIDACME\n

=== TEST 2: without keys for the account, an origin is not tried, whatever the balancer
--- http_config eval: http('', '', '', $::apart)
--- config
$TEST_NGINX_CLIENTS
$TEST_NGINX_U
--- signed
4x GET /bucket/key $TEST_NGINX_AS_ACME => 200 ^origin A\nverified yes\nauth header\nkey AKIDACME\n
4x GET /bucket/key $TEST_NGINX_AS_BETA => 200 ^origin B\nverified yes\nauth header\nkey AKIDBETA\n
PUT /bucket/key $TEST_NGINX_AS_ACME body=hello => 200 ^origin A\nverified yes
upload PUT /bucket/key $TEST_NGINX_AS_BETA body=hello => 200 ^origin B\nverified yes

=== TEST 3: least_conn, with a zone and connections that are kept alive
--- http_config eval: http('zone u 64k; least_conn; keepalive 8;', 'weight=5', '', $::apart)
--- config
$TEST_NGINX_CLIENTS
$TEST_NGINX_U
--- signed
4x GET /bucket/key $TEST_NGINX_AS_ACME => 200 ^origin A\nverified yes\nauth header\nkey AKIDACME\n
4x GET /bucket/key $TEST_NGINX_AS_BETA => 200 ^origin B\nverified yes\nauth header\nkey AKIDBETA\n

=== TEST 4: hash, consistent
--- http_config eval: http('hash $s3_bucket consistent;', '', '', $::apart)
--- config
$TEST_NGINX_CLIENTS
$TEST_NGINX_U
--- signed
4x GET /bucket/key $TEST_NGINX_AS_ACME => 200 ^origin A\nverified yes\nauth header\nkey AKIDACME\n
4x GET /bucket/key $TEST_NGINX_AS_BETA => 200 ^origin B\nverified yes\nauth header\nkey AKIDBETA\n

=== TEST 5: ip_hash
--- http_config eval: http('ip_hash;', '', '', $::apart)
--- config
$TEST_NGINX_CLIENTS
$TEST_NGINX_U
--- signed
4x GET /bucket/key $TEST_NGINX_AS_ACME => 200 ^origin A\nverified yes\nauth header\nkey AKIDACME\n
4x GET /bucket/key $TEST_NGINX_AS_BETA => 200 ^origin B\nverified yes\nauth header\nkey AKIDBETA\n

=== TEST 6: random two, with a zone
--- http_config eval: http('zone u 64k; random two least_conn;', '', '', $::apart)
--- config
$TEST_NGINX_CLIENTS
$TEST_NGINX_U
--- signed
4x GET /bucket/key $TEST_NGINX_AS_ACME => 200 ^origin A\nverified yes\nauth header\nkey AKIDACME\n
4x GET /bucket/key $TEST_NGINX_AS_BETA => 200 ^origin B\nverified yes\nauth header\nkey AKIDBETA\n

=== TEST 7: one is the other's backup
--- http_config eval: http('', '', 'backup', $::apart)
--- config
$TEST_NGINX_CLIENTS
$TEST_NGINX_U
--- signed
4x GET /bucket/key $TEST_NGINX_AS_ACME => 200 ^origin A\nverified yes\nauth header\nkey AKIDACME\n
4x GET /bucket/key $TEST_NGINX_AS_BETA => 200 ^origin B\nverified yes\nauth header\nkey AKIDBETA\n

=== TEST 8: a failed try goes to the next origin of the account, signed for it; if there is none, to no other
--- http_config eval: http('', 'max_fails=0', 'max_fails=0', "$::apart s3_origin $::at_b account=acme $ENV{TEST_NGINX_CRED_ACME};")
--- config
$TEST_NGINX_CLIENTS
$TEST_NGINX_U
--- signed
GET /t8/x $TEST_NGINX_AS_ACME mock=A=close => 200 ^origin B\nverified yes\nauth header\nkey AKIDACME\n
GET /t8/y $TEST_NGINX_AS_BETA mock=B=close => 502 error InternalError
GET /t8/z $TEST_NGINX_AS_BETA mock=B=close => 502 error InternalError
GET /t8/z mock=A=close,B=none => 200 ^origin B\nverified yes\nauth header\nkey AKIDORIGINB\n
unsigned GET /_log/t8/y => 200 ^(?!.*^A)
--- no_error_log
[alert]

=== TEST 9: its only origin is down: 502, and no other one hears of it
--- http_config
    upstream u { server $TEST_NGINX_A; server $TEST_NGINX_DEAD; s3_origin default $TEST_NGINX_CRED_A; s3_origin $TEST_NGINX_DEAD account=acme $TEST_NGINX_CRED_ACME; }
--- config
s3_client AKIDOFACME secret_key=s account=acme;
$TEST_NGINX_U
--- signed
2x GET /t9/x $TEST_NGINX_AS_ACME => 502 error InternalError
unsigned GET /_log/t9 => 200 ^$

=== TEST 10: without an account, the common lines only
--- http_config
    upstream u { server $TEST_NGINX_A; server $TEST_NGINX_B; s3_origin $TEST_NGINX_A $TEST_NGINX_CRED_A; s3_origin $TEST_NGINX_B account=acme region=eu-central-1 $TEST_NGINX_CRED_ACME; }
--- config
$TEST_NGINX_CLIENT
s3_client AKIDOFACME secret_key=s account=acme;
$TEST_NGINX_U
--- signed
4x GET /bucket/key => 200 ^origin A\nverified yes\nauth header\nkey AKIDORIGINA\n
4x GET /bucket/key $TEST_NGINX_AS_ACME => 200 ^origin B\nverified yes\nauth header\nkey AKIDACME\n
GET /bucket/key mock=A=close => 502 error InternalError

=== TEST 11: what a line does not say is said by the common one, but for the keys
--- http_config
    upstream u { server $TEST_NGINX_C; s3_origin default $TEST_NGINX_CRED_C host=c.example.com addressing=virtual; s3_origin $TEST_NGINX_C account=acme $TEST_NGINX_CRED_ACME; }
--- config
$TEST_NGINX_CLIENTS
$TEST_NGINX_U
--- does_not_start: "s3_client AKIDOFBETA" for location "/" has "account=beta", for which there is no "s3_origin" of upstream "u": add one with "account=beta access_key=... secret_key=...", or correct the name

=== TEST 12: the same, where it starts
--- http_config
    upstream u { server $TEST_NGINX_C; s3_origin default $TEST_NGINX_CRED_C host=c.example.com addressing=virtual; s3_origin $TEST_NGINX_C account=acme $TEST_NGINX_CRED_ACME; s3_origin $TEST_NGINX_C account=beta $TEST_NGINX_CRED_BETA region=r addressing=path; }
--- config
$TEST_NGINX_CLIENTS
$TEST_NGINX_U
--- signed
GET /bucket/key => 200 ^origin C\nverified yes\n.*region us-west-2\n.*line GET /key HTTP.*header Host: bucket\.c\.example\.com\n.*X-Amz-Security-Token
GET /bucket/key $TEST_NGINX_AS_ACME => 200 ^(?!.*Security-Token)origin C\n.*key AKIDACME\nregion us-west-2\n.*line GET /key HTTP.*header Host: bucket\.c\.example\.com\n
GET /bucket/key $TEST_NGINX_AS_BETA => 200 ^(?!.*Security-Token)origin C\n.*key AKIDBETA\nregion r\n.*line GET /bucket/key HTTP.*header Host: c\.example\.com\n

=== TEST 13: a proxy_pass that names a host
--- config
$TEST_NGINX_CLIENTS
location / {
    s3_resign on;
    s3_origin $TEST_NGINX_CRED_A;
    s3_origin account=acme $TEST_NGINX_CRED_ACME;
    s3_origin default account=beta $TEST_NGINX_CRED_BETA;
    proxy_pass http://$TEST_NGINX_A;
}
--- signed
GET /bucket/key => 200 ^origin A\nverified yes\nauth header\nkey AKIDORIGINA\n
GET /bucket/key $TEST_NGINX_AS_ACME => 200 ^origin A\nverified yes\nauth header\nkey AKIDACME\n
GET /bucket/key $TEST_NGINX_AS_BETA => 200 ^origin A\nverified yes\nauth header\nkey AKIDBETA\n

=== TEST 14: buckets with other names from a location
--- http_config eval: http('', '', '', $::apart)
--- config
$TEST_NGINX_CLIENTS
location / { s3_resign on; s3_bucket_map * x-*; proxy_pass http://u; }
--- signed
2x GET /bucket/key $TEST_NGINX_AS_ACME => 200 ^origin A\nverified yes\nauth header\nkey AKIDACME\n.*line GET /x-bucket/key
2x GET /bucket/key $TEST_NGINX_AS_BETA => 200 ^origin B\nverified yes\nauth header\nkey AKIDBETA\n.*line GET /x-bucket/key

=== TEST 15: a location's own account, for what it signs for nobody
--- http_config eval: http('', '', '', $::apart)
--- config
location / { s3_resign on; s3_anonymous sign account=beta; proxy_pass http://u; }
--- unsigned
4x GET /bucket/key => 200 ^origin B\nverified yes\nauth header\nkey AKIDBETA\n

=== TEST 16: what goes out unsigned uses no keys, and goes to any origin
--- http_config
    upstream u { server $TEST_NGINX_A; server $TEST_NGINX_B; s3_origin default account=acme $TEST_NGINX_CRED_ACME; s3_origin $TEST_NGINX_B account=beta region=eu-central-1 $TEST_NGINX_CRED_BETA; }
--- config
s3_client AKIDOFACME secret_key=s account=acme;
s3_anonymous on;
$TEST_NGINX_U
--- unsigned
GET /bucket/key => 200 ^origin A\nverified no: not signed
GET /bucket/key => 200 ^origin B\nverified no: not signed
signed GET /bucket/key $TEST_NGINX_AS_ACME => 200 ^origin A\nverified yes\nauth header\nkey AKIDACME\n

=== TEST 17: a cache keeps accounts apart
--- http_config eval: http('', '', 'backup') . 'proxy_cache_path cache keys_zone=c:1m levels=1;'
--- config
$TEST_NGINX_CLIENTS
s3_client AKIDOFACME3 secret_key=s account=acme;
proxy_cache c; proxy_cache_valid 200 1m; add_header X-Cache $upstream_cache_status; add_header X-Key $s3_cache_key; add_header X-Account $s3_account;
$TEST_NGINX_U
--- signed
GET /t17/k mock=A=cache => 200 ^origin A\nverified yes\nauth header\nkey AKIDORIGINA\n
GET /t17/k $TEST_NGINX_AS_ACME mock=A=cache => 200 ^origin A\nverified yes\nauth header\nkey AKIDACME\n
GET /t17/k $TEST_NGINX_AS_BETA mock=A=cache => 200 ^origin A\nverified yes\nauth header\nkey AKIDBETA\n
GET /t17/k => 200 ^origin A\nverified yes\nauth header\nkey AKIDORIGINA\n
GET /t17/k key=AKIDOFACME3 secret=s => 200 ^origin A\nverified yes\nauth header\nkey AKIDACME\n
presigned GET /t17/k $TEST_NGINX_AS_BETA => 200 ^origin A\nverified yes\nauth header\nkey AKIDBETA\n
unsigned GET /_log/t17 => 200 ^(A 200 verified body=0 GET /t17/k HTTP/1\.1\n){3}$
--- response_headers eval
["X-Cache: MISS\nX-Key: signed u /t17/k\nX-Account: ", "X-Cache: MISS\nX-Key: signed u /t17/k account=acme\nX-Account: acme",
    "X-Cache: MISS\nX-Key: signed u /t17/k account=beta\nX-Account: beta", 'X-Cache: HIT', 'X-Cache: HIT', "X-Cache: HIT\nX-Key: signed u /t17/k account=beta", '']

=== TEST 18: a key of the user's own, told before the access phase, keeps them apart too
--- http_config eval: http('', '', 'backup') . 'proxy_cache_path cache keys_zone=c:1m levels=1;'
--- config
$TEST_NGINX_CLIENTS
location / { s3_resign on; set $early $s3_cache_key; set $account $s3_account; add_header X-Early $early; add_header X-Account [$account]; proxy_pass http://u; }
--- signed
GET /bucket/key
GET /bucket/key $TEST_NGINX_AS_ACME
--- response_headers eval
["X-Early: signed u /bucket/key\nX-Account: []", "X-Early: signed u /bucket/key account=acme\nX-Account: []"]

=== TEST 19: an upload id that was sealed for one account is none of another's
--- http_config eval: http()
--- config
$TEST_NGINX_CLIENTS
$TEST_NGINX_U
--- init
my $answer = told(@::as_acme, method => 'POST', query => 'uploads=',
    document('<InitiateMultipartUploadResult><Bucket>bucket</Bucket><Key>key</Key><UploadId>of-acme</UploadId></InitiateMultipartUploadResult>'));
my ($id) = $answer->{content} =~ m{<UploadId>(s3r1_\w+)</UploadId>};
like($id, qr/^s3r1_/, 'it is sealed');
my @part = (method => 'PUT', query => "partNumber=1&uploadId=$id");
like(told(@::as_acme, @part)->{content}, qr/^origin A\nverified yes\nauth header\nkey AKIDACME\n.*uploadId=of-acme /s, 'acme goes on') for 1 .. 3;
for my $other ([@::as_beta], [key => 'AKIDCLIENT', secret => $ENV{TEST_NGINX_CLIENT_SECRET}]) {
    my $refused = told(@$other, @part);
    is($refused->{status}, 404, 'another does not');
    like($refused->{content}, qr/<Code>NoSuchUpload</, 'for there is no such upload');
}
--- signed: GET /bucket/key

=== TEST 20: a key of an account that is revoked takes no origin from the others
--- http_config
    upstream u {
        zone u 64k;
        server $TEST_NGINX_A max_fails=0; server $TEST_NGINX_B max_fails=0;
        s3_origin $TEST_NGINX_A account=acme $TEST_NGINX_CRED_ACME;
        s3_origin $TEST_NGINX_B account=acme region=eu-central-1 $TEST_NGINX_CRED_ACME;
        s3_origin $TEST_NGINX_B account=beta region=eu-central-1 $TEST_NGINX_CRED_BETA;
        s3_health_check interval=100ms fall=1 rise=1 uri=/t20/x;
    }
--- config
s3_client AKIDOFACME secret_key=s account=acme;
s3_client AKIDOFBETA secret_key=s account=beta;
$TEST_NGINX_U
--- init
wait_until(sub { logged('\[notice\] [^\n]* is up\n') >= 2 }, 'both up');
mood('A=403:InvalidAccessKeyId');
mood('B=403:InvalidAccessKeyId');
wait_until(sub { grep(/^A 403 /, received('/t20')) >= 3 && grep(/^B 403 /, received('/t20')) >= 3 }, 'checks');
is(logged('is down'), 0, 'none is down');
mood('A=503');
wait_until(sub { logged('is down: answered 503') }, 'down');
mood('B=none');
is(told(@::as_beta)->{headers}{'x-origin'}, 'B', 'beta has its origin') for 1 .. 2;
is(told(@::as_acme)->{headers}{'x-origin'}, 'B', 'acme has the other one') for 1 .. 3;
--- signed: GET /bucket/key $TEST_NGINX_AS_BETA
--- answers: 200 ^origin B\nverified yes

=== TEST 21: where there is a common line, the checks are made with it
--- http_config eval: http('zone u 64k; s3_health_check interval=100ms fall=1 uri=/t21/x;', '', '', $::apart)
--- config
$TEST_NGINX_CLIENTS
$TEST_NGINX_U
--- init
wait_until(sub { logged('\[notice\] [^\n]* is up\n') >= 2 }, 'both up');
is((grep { !/^\w 200 verified / } received('/t21')), 0, 'all verified');
mood('B=403:InvalidAccessKeyId');
wait_until(sub { logged('is down: answered 403 InvalidAccessKeyId') }, 'down');
--- signed: GET /bucket/key
--- answers: 200 ^origin A\nverified yes

=== TEST 22: an origin's numbers are those of all accounts
--- http_config eval: http('', '', 'backup')
--- config
$TEST_NGINX_CLIENTS
location = /status { s3_status; }
$TEST_NGINX_U
--- signed
GET /bucket/key
GET /bucket/key $TEST_NGINX_AS_ACME
GET /bucket/key $TEST_NGINX_AS_BETA
unsigned GET /status?format=prometheus
--- answers
3x 200
200 s3_resign_tries_total\{upstream="u",server="$at_a",class="2xx"\} 3\n

=== TEST 23: an account that is none of a client's
--- http_config eval: http('', '', '', $::apart)
--- config
location / { s3_resign on; s3_anonymous sign account=delta; proxy_pass http://u; }
--- does_not_start: "s3_anonymous sign" for location "/" has "account=delta", for which there is no "s3_origin" of upstream "u": add one with "account=delta access_key=... secret_key=...", or correct the name

=== TEST 24: an internal redirect to a location with other origins is judged there
--- http_config eval: http('', '', '', $::apart)
--- config
$TEST_NGINX_CLIENTS
location / { s3_resign on; s3_client AKIDOFACME secret_key=s; error_page 503 = @beta; proxy_intercept_errors on; proxy_pass http://origin_a; }
location @beta { s3_resign on; s3_client AKIDOFACME secret_key=s account=beta; proxy_pass http://u; }
--- signed
GET /bucket/key $TEST_NGINX_AS_ACME => 200 ^origin A\nverified yes\nauth header\nkey AKIDORIGINA\n
GET /bucket/key $TEST_NGINX_AS_ACME mock=A=503 => 200 ^origin B\nverified yes\nauth header\nkey AKIDBETA\n

=== TEST 25: a hundred accounts
--- http_config eval
"upstream u { server $::at_a; server $::at_b; s3_origin default account=acme $ENV{TEST_NGINX_CRED_ACME} region=us-east-1;"
    . join('', map {"s3_origin $::at_b account=n$_ $ENV{TEST_NGINX_CRED_BETA} region=eu-central-1;"} 1 .. 100) . '}'
--- config eval
join('', map {"s3_client AKIDN$_ secret_key=s account=n$_;"} 1 .. 100) . $ENV{TEST_NGINX_U}
--- signed
GET /bucket/key key=AKIDN{1..100} secret=s
--- answers: all 200 ^origin B\nverified yes\nauth header\nkey AKIDBETA\n

=== TEST 26: clients of a file, and minted keys
--- http_config eval: http('', '', '', $::apart)
--- config
s3_client_file ../html/keys;
$TEST_NGINX_ISSUER account=acme;
$TEST_NGINX_U
--- user_files
>>> keys
AKIDOFACME secret_key=s account=acme
AKIDOFBETA secret_key=s account=beta allow=read
AKIDOFBETA secret_key=t account=acme
AKIDOFGAMMA secret_key=s account=gamma
--- signed
2x GET /bucket/key $TEST_NGINX_AS_ACME => 200 ^origin A\nverified yes\nauth header\nkey AKIDACME\n
2x GET /bucket/key $TEST_NGINX_AS_BETA => 200 ^origin B\nverified yes\nauth header\nkey AKIDBETA\n
PUT /bucket/key $TEST_NGINX_AS_BETA => 403 error AccessDenied
GET /bucket/key key=AKIDOFBETA secret=t => 200 ^origin A\nverified yes\nauth header\nkey AKIDACME\n
GET /bucket/key key=AKIDOFGAMMA secret=s => 403 error AccessDenied
2x GET /bucket/key as=minted => 200 ^origin A\nverified yes\nauth header\nkey AKIDACME\n

=== TEST 27: an account that is none of an issuer's
--- http_config eval: http('', '', '', $::apart)
--- config
$TEST_NGINX_ISSUER account=delta;
$TEST_NGINX_U
--- does_not_start: "s3_issuer ci" for location "/" has "account=delta", for which there is no "s3_origin" of upstream "u"
