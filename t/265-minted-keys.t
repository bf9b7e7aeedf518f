# Minted keys: s3_issuer and s3_revoke, with keys that sign_s3 mints.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test ':running';
use Test::Nginx::Socket 'no_plan';

my $secret = 'k3GmQ0Zr1vYt7sXw2LpNfHc9BdJu5TaE';
my $new    = 'n3wSecretOfTheSameIssuerAfterItWasReplaced';
my %minted = map { $_->[0] => [S3Test::minted(@$_[1 .. $#$_])] } (
    [all     => $secret, '--issuer', 'ci'],
    [read    => $secret, '--issuer', 'ci', '--allow', 'read', '--buckets', 'media/2026*'],
    [wide    => $secret, '--issuer', 'ci', '--allow', 'all', '--buckets', '*'],
    [revoked => $secret, '--issuer', 'ci', '--id', 'ABCDEFGHIJKLMNOP'],
    [long    => $secret, '--issuer', 'ci', '--expires', '24h', '--max-lifetime', '1d'],
    [new     => $new,    '--issuer', 'ci'],
    [deploy  => $secret, '--issuer', 'deploy'],
    [ended   => $secret, '--issuer', 'ci', '--expires', '1s'],
);
my $after = time + 1;
sleep 2;

# Parts of two keys, and a token that lacks its end.
sub mixed { return [@{ $minted{ $_[0] } }[0 .. 3], token => { @{ $minted{ $_[1] } } }->{token}] }
my %all = @{ $minted{all} };
Blocks::clients(
    %minted,
    mixed   => mixed('all', 'wide'),
    other   => mixed('all', 'deploy'),
    cut     => [%all, token => substr($all{token}, 0, -1)],
    none    => [%all, token => undef],
    forged  => [%all, secret => 'cLiEnT+sEcReT/0123456789abcdefghijklmnop'],
    unheard => [%all, key => $all{key} =~ s/ci/cx/r],
);

$ENV{TEST_NGINX_ISSUER} = "s3_issuer ci secret=$secret";
$ENV{TEST_NGINX_NEW}    = "s3_issuer ci secret=$new";
$ENV{TEST_NGINX_SIGN}   = 'location / { s3_resign on; proxy_pass http://origin_a; }';
$ENV{TEST_NGINX_TOKEN}  = $all{token};
$ENV{TEST_NGINX_ALL}    = $all{key};
$ENV{TEST_NGINX_AFTER}  = POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $after);
$ENV{TEST_NGINX_BEFORE} = POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime($after - 600));
our $large = 'x' x 100_000;
our $known = $all{key};

prepare();
run_tests();

__DATA__

=== TEST 1: in the header, in a query, in framing, and by V2
--- config
    s3_signature_v2 on;
    $TEST_NGINX_ISSUER;
    $TEST_NGINX_SIGN
--- signed
2x GET /bucket/key as=all
PUT /bucket/key body=hello as=all
presigned GET /bucket/key as=all
presigned PUT /bucket/key sent=hello as=all
upload PUT /bucket/key kind=signed body=$large as=all
upload PUT /bucket/key kind=signed-trailer body=$large as=all
upload PUT /bucket/key kind=unsigned body=$large as=all
signed_v2 GET /bucket/key as=all
    x-amz-security-token: $TEST_NGINX_TOKEN
--- answers
all 200 verified yes

=== TEST 2: a browser's form
--- config
    $TEST_NGINX_ISSUER;
    $TEST_NGINX_SIGN
--- form
POST /bucket form_key=key file=hello as=all
    field x-amz-security-token: $TEST_NGINX_TOKEN
POST /bucket form_key=key file=hello as=all
    field x-amz-security-token: x
POST /bucket form_key=key file=hello as=all
--- answers
20[04]
400 error InvalidToken
403 error InvalidAccessKeyId

=== TEST 3: what is not a key of the issuer, or not any more
--- config
    $TEST_NGINX_ISSUER;
    s3_issuer deploy secret=d3GmQ0Zr1vYt7sXw2LpNfHc9BdJu5TaE;
    $TEST_NGINX_SIGN
--- signed
GET /bucket/key as=all
GET /bucket/key as=mixed
GET /bucket/key as=other
GET /bucket/key as=cut
GET /bucket/key as=none
GET /bucket/key as=forged
GET /bucket/key as=unheard
GET /bucket/key as=new
GET /bucket/key as=deploy
GET /bucket/key as=long
GET /bucket/key as=ended
presigned GET /bucket/key as=ended expires=3600
presigned GET /bucket/key as=mixed
GET /bucket/key as=all tamper
--- answers
200 verified yes
400 error InvalidToken
400 error InvalidToken
400 error InvalidToken
403 error InvalidAccessKeyId
403 error SignatureDoesNotMatch
403 error InvalidAccessKeyId
400 error InvalidToken
400 error InvalidToken
400 error InvalidToken .*valid for longer
400 error ExpiredToken
400 error ExpiredToken
400 error InvalidToken
403 error SignatureDoesNotMatch

=== TEST 4: a narrow key, within what its issuer may give
--- config
    $TEST_NGINX_ISSUER buckets=media,logs allow=read,PutObject;
    $TEST_NGINX_SIGN
--- signed
GET /media/2026/a as=read
GET /media?list-type=2&prefix=2026/ as=read
GET /media/2025/a as=read
GET /media?list-type=2 as=read
PUT /media/2026/a as=read
GET /logs/a as=read
GET /media/a as=wide
PUT /logs/a as=wide
DELETE /logs/a as=wide
GET /bucket/key as=wide
PUT /logs/a as=wide
    x-amz-copy-source: media/2026/a
--- answers
2x 200 verified yes
4x 403 error AccessDenied
2x 200 verified yes
3x 403 error AccessDenied

=== TEST 5: a list of buckets shows those of both
--- config
    $TEST_NGINX_ISSUER buckets=media,logs*;
    $TEST_NGINX_SIGN
--- signed: GET / as=read
--- origin
200 OK body="<?xml version=\"1.0\"?><ListAllMyBucketsResult><Buckets><Bucket><Name>media</Name></Bucket><Bucket><Name>logs1</Name></Bucket><Bucket><Name>other</Name></Bucket></Buckets></ListAllMyBucketsResult>"
--- response_body_like: <Name>media</Name>
--- response_body_unlike: logs1|other

=== TEST 6: max_lifetime
--- config
    location / { s3_resign on; $TEST_NGINX_ISSUER max_lifetime=1d; proxy_pass http://origin_a; }
    location /short { s3_resign on; $TEST_NGINX_ISSUER max_lifetime=59m; proxy_pass http://origin_a; }
--- signed
GET /bucket/key as=long
GET /short/key as=all
--- answers
200 verified yes
400 error InvalidToken

=== TEST 7: the old secret and the new one, each with its grant
--- config
    $TEST_NGINX_ISSUER allow=read;
    $TEST_NGINX_NEW;
    $TEST_NGINX_SIGN
--- signed
GET /bucket/key as=all
PUT /bucket/key as=all
PUT /bucket/key as=new
--- answers
200 verified yes
403 error AccessDenied
200 verified yes

=== TEST 8: revoked by id, by access key, and by time; of one issuer
--- config
    $TEST_NGINX_ISSUER;
    s3_issuer deploy secret=k3GmQ0Zr1vYt7sXw2LpNfHc9BdJu5TaE;
    location / { s3_resign on; s3_revoke ci ABCDEFGHIJKLMNOP; proxy_pass http://origin_a; }
    location /key { s3_resign on; s3_revoke ci $TEST_NGINX_ALL; proxy_pass http://origin_a; }
    location /new { s3_resign on; s3_revoke ci before=$TEST_NGINX_AFTER; proxy_pass http://origin_a; }
    location /old { s3_resign on; s3_revoke ci before=$TEST_NGINX_BEFORE; proxy_pass http://origin_a; }
--- signed
GET /bucket/key as=revoked
presigned GET /bucket/key as=revoked
GET /bucket/key as=all
GET /key/key as=all
GET /key/key as=revoked
GET /new/key as=all
GET /new/key as=deploy
GET /old/key as=all
--- answers
403 error AccessDenied .*has been revoked
403 error AccessDenied .*has been revoked
200 verified yes
403 error AccessDenied .*has been revoked
200 verified yes
403 error AccessDenied .*has been revoked
200 verified yes
200 verified yes

=== TEST 9: what an outer level revokes is revoked inside, whatever is revoked there
--- http_config
    s3_issuer ci secret=k3GmQ0Zr1vYt7sXw2LpNfHc9BdJu5TaE;
    s3_revoke ci ABCDEFGHIJKLMNOP;
--- config
    s3_revoke ci AAAAAAAAAAAAAAAA;
    $TEST_NGINX_ISSUER;
    location / { s3_resign on; s3_revoke ci BBBBBBBBBBBBBBBB; $TEST_NGINX_ISSUER; proxy_pass http://origin_a; }
--- signed
GET /bucket/key as=revoked
GET /bucket/key as=all
--- answers
403 error AccessDenied
200 verified yes

=== TEST 10: a level with an issuer inherits no clients, and one with a client no issuers
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; $TEST_NGINX_ISSUER; proxy_pass http://origin_a; }
    location /client {
        s3_resign on;
        s3_client K secret_key=s;
        proxy_pass http://origin_a;
    }
    location /both { s3_resign on; $TEST_NGINX_ISSUER; $TEST_NGINX_CLIENT proxy_pass http://origin_a; }
--- signed
GET /bucket/key
GET /bucket/key as=all
GET /client/key as=all
GET /both/key
GET /both/key as=all
--- answers
403 error InvalidAccessKeyId
200 verified yes
403 error InvalidAccessKeyId
200 verified yes
200 verified yes

=== TEST 11: the variables
--- config
    $TEST_NGINX_CLIENT
    $TEST_NGINX_ISSUER;
    location / {
        s3_resign on;
        proxy_pass http://origin_a;
        add_header X-Key "$s3_access_key" always;
        add_header X-Issuer "<$s3_issuer>" always;
    }
--- signed
GET /bucket/key as=all
GET /bucket/key as=forged
GET /bucket/key as=unheard
GET /bucket/key
--- error_code eval: [200, 403, 403, 200]
--- response_headers eval
["X-Key: $ENV{TEST_NGINX_ALL}\nX-Issuer: <ci>", 'X-Issuer: <ci>', 'X-Issuer: <>', 'X-Issuer: <>']

=== TEST 12: limits for all keys of an issuer, asked before a request is verified
--- http_config
    limit_req_zone $s3_issuer zone=issuer:1m rate=1r/m;
--- config
    $TEST_NGINX_CLIENT
    $TEST_NGINX_ISSUER;
    location / { s3_resign on; limit_req zone=issuer; limit_req_status 429; proxy_pass http://origin_a; }
--- signed
GET /bucket/key as=all
GET /bucket/key as=read
GET /bucket/key
GET /bucket/key
--- error_code eval: [200, 429, 200, 200]

=== TEST 13: what is counted, and whose keys are known among the rejected
--- config
    $TEST_NGINX_ISSUER;
    s3_revoke ci ABCDEFGHIJKLMNOP;
    $TEST_NGINX_SIGN
    location = /s3_status { s3_status; }
--- signed
2x GET /bucket/key as=all
GET /bucket/key as=revoked
GET /bucket/key as=ended
GET /bucket/key as=all tamper
GET /bucket/key as=wide tamper
unsigned GET /s3_status?format=prometheus
--- answers
2x 200 verified yes
403 error AccessDenied
400 error ExpiredToken
2x 403 error SignatureDoesNotMatch
200 (?s)minted_total\{outcome="accepted"\} 2\n\S*minted_total\{outcome="revoked"\} 1\n.*refused_client_total\{access_key="$known"\} 1\n(?!\S*refused_client)

=== TEST 14: issuers that are none
--- location: s3_issuer ci-1 secret=k3GmQ0Zr1vYt7sXw2LpNfHc9BdJu5TaE;
--- does_not_start: "s3_issuer" begins with no name of an issuer: write one of 1 to 32 letters and digits

=== TEST 15: a short secret
--- location: s3_issuer ci secret=short;
--- does_not_start: "s3_issuer ci" "secret=" could be guessed.*"openssl rand -base64 32"

=== TEST 16: the same line twice
--- config
    $TEST_NGINX_ISSUER;
    $TEST_NGINX_ISSUER;
    $TEST_NGINX_SIGN
--- does_not_start: "s3_issuer ci" is duplicate: keep one line for each secret

=== TEST 17: an issuer that nobody has heard of
--- config
    $TEST_NGINX_ISSUER;
    s3_revoke cl ABCDEFGHIJKLMNOP;
    $TEST_NGINX_SIGN
--- does_not_start: "s3_revoke cl": there is no "s3_issuer cl" for this level

=== TEST 18: likewise around all servers
--- http_config
    s3_revoke ci ABCDEFGHIJKLMNOP;
--- config
    $TEST_NGINX_ISSUER;
    $TEST_NGINX_SIGN
--- does_not_start: "s3_revoke ci": there is no "s3_issuer ci" for this level

=== TEST 19: an access key of another issuer
--- config
    $TEST_NGINX_ISSUER;
    s3_revoke deploy $TEST_NGINX_ALL;
    $TEST_NGINX_SIGN
--- does_not_start: "s3_revoke deploy": "S3M1ci\w+" is an access key of "ci": write "s3_revoke ci S3M1ci

=== TEST 20: no time, and no id
--- config
    $TEST_NGINX_ISSUER;
    s3_revoke ci before=yesterday;
    $TEST_NGINX_SIGN
--- does_not_start: "s3_revoke ci": "before=yesterday" is not a time: write one as

=== TEST 21: no id
--- config
    $TEST_NGINX_ISSUER;
    s3_revoke ci ABCDEFGHIJKLMNOP abcdefghijklmnop;
    $TEST_NGINX_SIGN
--- does_not_start: "s3_revoke ci": word 3 after "s3_revoke" is no id of a key
