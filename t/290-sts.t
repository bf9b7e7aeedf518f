# AWS's Security Token Service: s3_sts and s3_role, with tokens of an issuer whose key set MockProvider has.
#
# A long file: all of its blocks share the helpers below.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test ':running';
use Digest::SHA qw(sha256_hex);
use Jwt;
use MockProvider;
use Time::HiRes qw(sleep);
use Test::Nginx::Socket 'no_plan';

our $at  = "127.0.0.1:$ENV{TEST_NGINX_SPARE}";
our $dir = File::Spec->tmpdir . "/s3-resign-t-$>-jwks-$$";
mkdir $dir or die "$dir: $!";
Jwt::folder($dir);
Jwt::key(@$_) for [rsa => 'RS256'], [ec => 'ES256'], [ed => 'EdDSA'], [next => 'ES256'], [stranger => 'ES256'];
my $mock = MockProvider::start($at, { map { $_ => 'x' } qw(key secret token) }, $dir);
workers(2);

my $secret = 'k3GmQ0Zr1vYt7sXw2LpNfHc9BdJu5TaE';
our $issuer = 'https://issuer.example.com';
$ENV{TEST_NGINX_ISSUER} = "s3_issuer ci secret=$secret";
# A role for tokens of the issuer: what follows its conditions.
$ENV{TEST_NGINX_ROLE} = "issuer=$issuer audience=sts.amazonaws.com,mine condition=sub:repo/app:* jwks=http://$at/jwks/set";
$ENV{TEST_NGINX_PLACES} = <<'END';
location /sts { s3_sts; }
location / { s3_resign on; proxy_pass http://origin_a; }
END

# Writes the key set that the issuer has from now on.
sub issue {
    open my $out, '>', "$dir/new" or die $!;
    print $out Jwt::set(@_);
    close $out;
    rename "$dir/new", "$dir/set" or die $!;
}
sub provider { HTTP::Tiny->new(timeout => 20)->get("http://$at/_mood/$_[0]") }
sub fetches  { scalar grep { m{^GET /jwks/set} } split /\n/, HTTP::Tiny->new->get("http://$at/_log")->{content} }

sub await_keys { wait_until(sub { logged('key set from "[^"]+": the first are there') }, 'a key set') }

# A token of the issuer's.
sub token {
    my ($key, %o) = @_;
    return Jwt::token($key // 'ec', %o,
        claims => { iss => $issuer, aud => 'sts.amazonaws.com', sub => 'repo/app:main', %{ $o{claims} // {} } });
}

sub form { my %f = @_; join '&', map { "$_=" . ($f{$_} =~ s/([^-\w.~])/sprintf '%%%02X', ord $1/ger) } sort keys %f }

# Calls: the answer as HTTP::Tiny gives it, with the text of each element by its name. Options beside the fields, which
# begin with capital letters: as (a client's key as options of S3Sign), presigned, path, headers, get, sent (another body
# than the one that is signed).
sub call {
    my %o = (path => '/sts', @_);
    my %fields = map { $_ => $o{$_} } grep {/^[A-Z]/} keys %o;
    my $body = form(Version => '2011-06-15', %fields);
    my $place = "127.0.0.1:$ENV{TEST_NGINX_PORT}";
    my %sign = (host => $place, service => 'sts', path => $o{path}, %{ $o{as} // {} });
    my %headers = ('content-type' => 'application/x-www-form-urlencoded; charset=utf-8', %{ $o{headers} // {} });
    my ($method, $target) = ('POST', $o{path});
    if ($o{presigned} || $o{get}) {
        ($method, $target, $body) = ('GET', "$o{path}?$body", '');
        %headers = ();
    }
    if ($o{presigned}) {
        $target = S3Sign::v4_target(%sign, query => $target =~ s/.*\?//r, payload => sha256_hex(''));
    } elsif ($o{as}) {
        my $lines = S3Sign::v4_headers(%sign, method => $method, body => $body, unsaid => 1,
            query => $target =~ /\?(.*)/ ? $1 : '', headers => [%headers]);
        %headers = map { split /: /, $_, 2 } split /\n/, $lines;
        delete $headers{host};
    }
    my %content = $method eq 'POST' ? (content => $o{sent} // $body) : ();
    my $answer = HTTP::Tiny->new(timeout => 20)->request($method, "http://$place$target", { headers => \%headers, %content });
    return told($answer);
}

sub told {
    my $answer = shift;
    my $content = $answer->{content} // '';
    $answer->{$1} = $2 while $content =~ m{<(\w+)>([^<]*)</\1>}g;
    return $answer;
}

sub identity {
    my ($token, %o) = @_;
    return call(Action => 'AssumeRoleWithWebIdentity', RoleArn => 'arn:aws:iam::000000000000:role/ci',
        RoleSessionName => 'build-7', WebIdentityToken => $token, %o);
}

# The key of an answer, as options of S3Sign.
sub key_of {
    my $answer = shift;
    return (key => $answer->{AccessKeyId}, secret => $answer->{SecretAccessKey}, token => $answer->{SessionToken});
}

# What comes of a call, in short.
sub verdict { my $answer = shift; $answer->{status} . ' ' . ($answer->{Code} // 'ok') }

# What comes of an S3 request with a key.
sub asked {
    my ($key, %o) = @_;
    my $answer = ask(%$key, %o);
    return "$answer->{status} " . ($answer->{content} =~ m{<Code>(\w+)} ? $1 : $answer->{headers}{'x-verified'} // '');
}

our %client = (key => $S3Sign::Default{key}, secret => $S3Sign::Default{secret});
our %reader = (reader());

add_block_preprocessor(sub {
    my $block = shift;
    issue(qw(rsa ec ed));
    provider($block->provider // 'none');
    $block->set_value(no_error_log => "eyJ0eX\n$secret\n" . ($block->no_error_log // ''));
});
prepare();
add_cleanup_handler(sub { kill TERM => $mock; waitpid $mock, 0; system 'rm', '-rf', $dir });
run_tests();

__DATA__

=== TEST 1: keys for a token, of every algorithm, and what is done with them
--- http_config
    log_format sts '$status $s3_operation $s3_role $s3_session $s3_error_code $s3_access_key $s3_issuer.';
--- config
    $TEST_NGINX_ISSUER;
    s3_role ci $TEST_NGINX_ROLE allow=read buckets=bucket/7*;
    $TEST_NGINX_PLACES
    access_log logs/sts.log sts;
--- init
await_keys();
for my $alg (qw(rsa ec ed)) {
    my $answer = identity(token($alg));
    is(verdict($answer), '200 ok', "a token by $alg");
    my %key = key_of($answer);
    like($key{key}, qr/^S3M1ci/, 'it is minted');
    is(asked(\%key, path => '/bucket/7'), '200 yes', 'it may read');
    is(asked(\%key, path => '/bucket/8'), '403 AccessDenied', 'not everything');
    is(asked(\%key, path => '/bucket/7', method => 'PUT', body => 'x'), '403 AccessDenied', 'nor write');
    is(asked({ %key, token => $key{token} =~ s/.$//r }, path => '/bucket/7'), '400 InvalidToken', 'nor without its token');
}
my $answer = identity(token());
is($answer->{headers}{'content-type'}, 'text/xml', 'type');
is($answer->{headers}{'cache-control'}, 'no-store', 'not to be stored');
is($answer->{headers}{'x-amzn-requestid'}, $answer->{RequestId}, 'request id');
is($answer->{Arn}, 'arn:aws:sts::000000000000:assumed-role/ci/build-7', 'ARN');
like($answer->{AssumedRoleId}, qr/^AROA[A-Z2-7]{17}:build-7$/, 'id of the role');
is($answer->{SubjectFromWebIdentityToken}, 'repo/app:main', 'subject');
is($answer->{Audience}, 'sts.amazonaws.com', 'audience');
is($answer->{Provider}, 'https://issuer.example.com', 'provider');
my $log = slurp('logs/sts.log');
like($log, qr/^200 AssumeRoleWithWebIdentity ci build-7 - - -\.$/m, 'the call in the log');
like($log, qr/^200 GetObject ci build-7 - S3M1ci\w+ ci\.$/m, 'a request with the key');
like($log, qr/^403 PutObject ci build-7 AccessDenied S3M1ci\w+ ci\.$/m, 'one that is rejected');
like($log, qr/^400 GetObject - - InvalidToken S3M1ci\w+ ci\.$/m, 'one of which the role is not known');
--- unsigned: GET /sts => 400 <Code>MissingAction</Code>
--- error_log
minted "S3M1ci

=== TEST 2: what a token must be
--- config
    $TEST_NGINX_ISSUER;
    s3_role ci $TEST_NGINX_ROLE condition=environment:prod* condition=/nested/a~1b:*x lifetime=2h;
    s3_role clients;
    $TEST_NGINX_PLACES
--- init
await_keys();
my %good = (environment => 'production', nested => { 'a/b' => ['y', 'xx'] });
is(verdict(identity(token('ec', claims => \%good))), '200 ok', 'all is right');
for (
    ['another issuer', '400 InvalidIdentityToken', claims => { iss => "$issuer/" }],
    ['another audience', '400 InvalidIdentityToken', claims => { aud => 'sts' }],
    ['one of several audiences', '200 ok', claims => { aud => ['x', 'mine'] }],
    ['no audience', '400 InvalidIdentityToken', claims => { aud => undef }],
    ['expired', '400 ExpiredTokenException', claims => { exp => time - 1 }],
    ['without an end', '400 InvalidIdentityToken', claims => { exp => undef }],
    ['not yet valid', '400 InvalidIdentityToken', claims => { nbf => time + 900 }],
    ['of the future', '400 InvalidIdentityToken', claims => { iat => time + 900 }],
    ['no subject', '400 InvalidIdentityToken', claims => { sub => undef }],
    ['another subject', '403 AccessDenied', claims => { sub => 'repo/other:main' }],
    ['a subject like a list', '400 InvalidIdentityToken', claims => { sub => ['repo/app:main'] }],
    ['another environment', '403 AccessDenied', claims => { environment => 'test' }],
    ['no environment', '403 AccessDenied', claims => { environment => undef }],
    ['another nested claim', '403 AccessDenied', claims => { nested => { 'a/b' => ['y'] } }],
    ['no algorithm', '400 InvalidIdentityToken', head => { alg => 'none' }],
    ['an algorithm of secrets', '400 InvalidIdentityToken', head => { alg => 'HS256' }],
    ['an algorithm of another key', '400 InvalidIdentityToken', head => { alg => 'RS256' }],
    ['an extension', '400 InvalidIdentityToken', head => { crit => ['x'], x => 1 }],
    ['without the name of a key', '200 ok', head => { kid => undef }],
) {
    my ($what, $expected, %o) = @$_;
    is(verdict(identity(token('ec', %o, claims => { %good, %{ $o{claims} // {} } }))), $expected, $what);
}
my $token = token('ec', claims => \%good);
my ($head, $claims, $signature) = split /\./, $token;
is(verdict(identity($_)), '400 InvalidIdentityToken', 'a token that is none: ' . substr $_, 0, 20) for
    'x', "$head.$claims", "$head.$claims.", "$token.x", "$head.$claims=.$signature",
    "$head." . (split /\./, token('ec', claims => { %good, sub => 'repo/app:x' }))[1] . ".$signature",
    token('stranger', head => { kid => 'ec' }, claims => \%good);
is(verdict(identity($token, RoleArn => 'arn:aws:iam::1:role/clients')), '403 AccessDenied', 'a role for clients');
is(verdict(identity($token, RoleArn => 'arn:aws:iam::1:role/none')), '403 AccessDenied', 'a role that is not there');
is(verdict(identity($token, RoleArn => 'ci')), '400 ValidationError', 'no ARN');
is(verdict(identity($token, RoleSessionName => 'x y')), '400 ValidationError', 'no name of a session');
is(verdict(identity($token, DurationSeconds => 7200)), '200 ok', 'the longest time');
is(verdict(identity($token, DurationSeconds => $_)), '400 ValidationError', "a time of $_") for 7201, 899, -1, 'x';
is(verdict(identity($token, Policy => '{}')), '400 MalformedPolicyDocument', 'a policy');
is(verdict(identity($token, ProviderId => 'graph.facebook.com')), '400 ValidationError', 'OAuth');
is(verdict(identity($token, Version => '2012-01-01')), '400 InvalidAction', 'a version');
my $answer = identity(token('ec', claims => { %good, aud => 'sts' }));
is($answer->{content}, '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
    . '<Code>InvalidIdentityToken</Code><Message>Incorrect token audience</Message></Error>'
    . "<RequestId>$answer->{RequestId}</RequestId></ErrorResponse>\n", 'all of an answer');
--- unsigned: GET /sts?Action=GetFederationToken => 400 <Code>InvalidAction</Code>
--- error_log
rejected AssumeRoleWithWebIdentity InvalidIdentityToken: Incorrect token audience

=== TEST 3: keys from keys, and who they are of
--- config
    $TEST_NGINX_CLIENT
    $TEST_NGINX_READER
    $TEST_NGINX_ISSUER allow=read,write;
    s3_client AKIDNARROW secret_key=narrow/secret allow=read buckets=bucket/*;
    s3_role reader allow=read buckets=bucket/7,other lifetime=30m;
    s3_role tokens $TEST_NGINX_ROLE;
    $TEST_NGINX_PLACES
    access_log logs/sts.log combined;
--- init
my %role = (Action => 'AssumeRole', RoleSessionName => 'alice', RoleArn => 'arn:aws:iam::1:role/reader');
my $answer = call(%role, as => \%client);
is(verdict($answer), '200 ok', 'signed as boto3 does');
my %key = key_of($answer);
is(asked(\%key, path => '/bucket/7'), '200 yes', 'the role may');
is(asked(\%key, path => '/bucket/8'), '403 AccessDenied', 'and no more');
my $narrow = { key => 'AKIDNARROW', secret => 'narrow/secret' };
my %narrow = key_of(call(%role, as => $narrow));
is(asked(\%narrow, path => '/bucket/7'), '200 yes', 'both may');
is(asked(\%narrow, path => '/other/x'), '403 AccessDenied', 'only the role may');
is(asked(\%narrow, path => '/bucket/8'), '403 AccessDenied', 'only the client may');
my %same = key_of(call(Action => 'AssumeRole', as => $narrow));
is(asked(\%same, path => '/bucket/8'), '200 yes', 'without a role it may what the client may');
is(asked(\%same, path => '/other/x'), '403 AccessDenied', 'and no more');
for (
    ['a client', \%client, qr{^arn:aws:iam::000000000000:user/AKIDCLIENT$}],
    ['a role', \%key, qr{^arn:aws:sts::000000000000:assumed-role/reader/alice$}],
    ['no role', \%same, qr{^arn:aws:sts::000000000000:federated-user/[A-Z2-7]{16}$}],
) {
    my ($what, $as, $arn) = @$_;
    like(call(Action => 'GetCallerIdentity', as => $as)->{Arn}, $arn, "who it is: $what");
    like(call(Action => 'GetCallerIdentity', as => $as, get => 1)->{Arn}, $arn, "by GET: $what");
    like(call(Action => 'GetCallerIdentity', as => $as, presigned => 1)->{Arn}, $arn, "presigned: $what");
}
for (
    ['a wrong secret', '403 SignatureDoesNotMatch', as => { %client, secret => 'x' }],
    ['an unknown key', '403 InvalidClientTokenId', as => { %client, key => 'AKIDNOBODY' }],
    ['a wrong token', '403 InvalidClientTokenId', as => { %key, token => 'x' }],
    ['no token', '403 InvalidClientTokenId', as => { %key, token => undef }],
    ['an old signature', '403 SignatureDoesNotMatch', as => { %client, skew => -3600 }],
    ['not signed', '403 MissingAuthenticationToken'],
    ['another body', '403 SignatureDoesNotMatch', as => \%client, sent => 'Action=GetCallerIdentity&x=y'],
    ['for S3', '403 SignatureDoesNotMatch', as => { %client, service => 's3' }],
    ['another service', '403 SignatureDoesNotMatch', as => { %client, service => 'iam' }],
    ['another path', '403 SignatureDoesNotMatch', as => { %client, path => '/sts/' }],
) {
    my ($what, $expected, %o) = @$_;
    is(verdict(call(Action => 'GetCallerIdentity', %o)), $expected, $what);
}
is(verdict(call(%role, as => \%client, RoleArn => 'arn:aws:iam::1:role/tokens')), '403 AccessDenied', 'a role for tokens');
is(verdict(call(%role, as => \%client, RoleArn => 'arn:aws:iam::1:role/none')), '403 AccessDenied', 'no role');
is(verdict(call(%role, as => \%client, RoleSessionName => '')), '400 ValidationError', 'no session');
# What is signed for one service is of no use at the other.
is(asked({ %client, service => 'sts' }), '400 AuthorizationHeaderMalformed', 'STS at S3');
my $target = S3Sign::v4_target(%client, service => 'sts', host => "127.0.0.1:$ENV{TEST_NGINX_PORT}");
like(HTTP::Tiny->new->get("http://127.0.0.1:$ENV{TEST_NGINX_PORT}$target")->{content},
    qr/AuthorizationQueryParametersError/, 'presigned, too');
--- unsigned: GET /sts?Action=GetCallerIdentity => 403 <Code>MissingAuthenticationToken</Code>
--- error_log
rejected GetCallerIdentity SignatureDoesNotMatch
minted "S3M1ci

=== TEST 4: an end, and what was revoked
--- config
    $TEST_NGINX_CLIENT
    $TEST_NGINX_ISSUER;
    s3_role ci $TEST_NGINX_ROLE lifetime=12s;
    location /sts { s3_sts ci; }
    location /revoked/ { rewrite ^/revoked(/.*) $1 break; s3_resign on; proxy_pass http://origin_a; s3_revoke ci before=2100-01-01T00:00:00Z; }
    location / { s3_resign on; proxy_pass http://origin_a; }
--- init
await_keys();
my %key = key_of(identity(token()));
is(asked(\%key), '200 yes', 'it is valid');
my $child = call(Action => 'AssumeRole', RoleSessionName => 'child', as => \%key);
is(verdict($child), '200 ok', 'one made with it');
is(asked({ key_of($child) }), '200 yes', 'it is valid, too');
is(asked({ key_of($child) }, path => '/revoked/key'), '403 AccessDenied', 'where it is revoked it is not');
for (1 .. 300) {
    last if asked(\%key) ne '200 yes';
    sleep 0.1;
}
is(asked(\%key), '400 ExpiredToken', 'it has ended');
is(asked({ key_of($child) }), '400 ExpiredToken', 'what was made with it ends with it');
is(verdict(call(Action => 'GetCallerIdentity', as => \%key)), '403 ExpiredToken', 'for STS, too');
--- signed: GET /bucket/key => 200 verified yes
--- timeout: 60

=== TEST 5: the issuer has other keys
--- config
    $TEST_NGINX_ISSUER;
    s3_role ci $TEST_NGINX_ROLE;
    $TEST_NGINX_PLACES
--- init
await_keys();
my ($before, $began) = (fetches(), time);
# They have just been fetched, unless this machine is busy.
my $unknown = qr/^400 (InvalidIdentityToken|IDPCommunicationError)$/;
like(verdict(identity(token('next'))), $unknown, 'a key that is not there');
issue(qw(next));
is(verdict(identity(token('next', claims => { iss => 'x' }))), '400 InvalidIdentityToken', 'nor is it of another issuer');
my $answer;
for (1 .. 300) {
    $answer = identity(token('next'));
    last if $answer->{status} == 200;
    like(verdict($answer), $unknown, 'not yet');
    sleep 0.5;
}
is(verdict($answer), '200 ok', 'the new one');
like(verdict(identity(token('ec'))), $unknown, 'the old one is gone');
my $fetches = fetches() - $before;
ok($fetches <= 1 + (time - $began) / 10, "few fetches: $fetches");
--- unsigned: GET /sts => 400 <Code>MissingAction</Code>
--- error_log
key set from "http://127.0.0.1
: renewed
--- timeout: 40

=== TEST 6: the issuer is down, or answers something else
--- config eval
join '', "$ENV{TEST_NGINX_ISSUER}; $ENV{TEST_NGINX_PLACES}", map {
    my $name = tr/=/-/r;
    "s3_role $name issuer=$::issuer audience=sts.amazonaws.com condition=sub:* jwks=http://$::at/as/$_/jwks/set;"
} qw(status=503 status=302 huge garbage cut close slow chunked)
--- init
my $role = sub { identity(token(), RoleArn => "arn:aws:iam::1:role/$_[0]") };
my %why = (
    'status=503' => 'it answered 503',
    'status=302' => 'it answered 302',
    huge    => 'its answer is too long',
    garbage => 'it is no JSON object',
    cut     => 'its answer ends too early',
    close   => 'it closed the connection',
    slow    => 'timed out',
);
for my $mood (sort keys %why) {
    wait_until(sub { logged("\\[error\\] [^\n]*no key set from \"[^\"]+/as/$mood/jwks/set\": $why{$mood}") }, $mood);
    is(verdict($role->($mood =~ tr/=/-/r)), '400 IDPCommunicationError', "SDKs try again by themselves: $mood");
}
wait_until(sub { $role->('chunked')->{status} == 200 }, 'chunked');
is(verdict($role->('chunked')), '200 ok', 'in chunks');
--- unsigned: GET /sts => 400 <Code>MissingAction</Code>

=== TEST 7: the issuer is down for a while
--- provider: status=503
--- config
    $TEST_NGINX_ISSUER;
    s3_role ci $TEST_NGINX_ROLE;
    $TEST_NGINX_PLACES
--- init
wait_until(sub { logged('no key set from "[^"]+": it answered 503') }, '503');
is(verdict(identity(token())), '400 IDPCommunicationError', 'no keys');
provider('none');
my $answer;
for (1 .. 100) {
    $answer = identity(token());
    last if $answer->{status} == 200;
    sleep 0.3;
}
is(verdict($answer), '200 ok', 'they are there, since somebody waits for them');
--- unsigned: GET /sts => 400 <Code>MissingAction</Code>
--- timeout: 60

=== TEST 8: they are kept over a reload, and as long as there are no others
--- config
    $TEST_NGINX_ISSUER;
    s3_role ci $TEST_NGINX_ROLE;
    $TEST_NGINX_PLACES
--- init
await_keys();
provider('status=500');
reload();
is(verdict(identity(token())), '200 ok', 'they are there');
is(logged('no key set from'), 0, 'nobody has missed them');
reload(sub { s{jwks/set}{jwks/other} });
is(verdict(identity(token())), '400 IDPCommunicationError', 'those of one issuer are not those of another');
--- unsigned: GET /sts => 400 <Code>MissingAction</Code>

=== TEST 9: they are in a file, which changes
--- config eval
"$ENV{TEST_NGINX_ISSUER};
s3_role ci issuer=$::issuer audience=mine condition=sub:* jwks=file:$::dir/set;
$ENV{TEST_NGINX_PLACES}"
--- init
my %mine = (claims => { aud => 'mine' });
is(verdict(identity(token('ed', %mine))), '200 ok', 'at once');
is(verdict(identity(token('next', %mine))), '400 InvalidIdentityToken', 'another one');
issue(qw(next));
wait_until(sub { identity(token('next', %mine))->{status} == 200 }, 'the new one');
is(verdict(identity(token('ed', %mine))), '400 InvalidIdentityToken', 'the old one is gone');
open my $out, '>', "$dir/set" or die $!;
print $out '{"keys": []}';
close $out;
wait_until(sub { logged('key set from "file:[^"]+" were not renewed: it is without a key that is of use') }, 'a broken file');
is(verdict(identity(token('next', %mine))), '200 ok', 'it changes nothing');
--- unsigned: GET /sts => 400 <Code>MissingAction</Code>

=== TEST 10: bodies
--- config
    $TEST_NGINX_CLIENT
    $TEST_NGINX_ISSUER;
    s3_role ci $TEST_NGINX_ROLE;
    location /file { s3_sts; client_body_in_file_only clean; client_max_body_size 0; }
    location /if { s3_sts; if ($request_method = POST) { set $x 1; } }
    $TEST_NGINX_PLACES
    access_log logs/access.log combined;
--- init
await_keys();
my $long = token('ec', claims => { more => 'x' x 13000 });
my %who = (Action => 'GetCallerIdentity', as => \%client);
for my $path ('/sts', '/file', '/if') {
    is(verdict(identity($long, path => $path)), '200 ok', "$path: a long token");
    is(verdict(identity(token('ec', claims => { more => 'x' x 16000 }), path => $path)), '400 ValidationError', "$path: too long a one");
    is(verdict(call(%who, path => $path)), '200 ok', "$path: a signed call");
    is(verdict(call(%who, path => $path, X => 'x' x 60_000)), '200 ok', "$path: with a long body");
    is(verdict(call(%who, path => $path, X => 'x' x 70_000)), '413 RequestEntityTooLarge', "$path: too long a one");
}
my $place = "127.0.0.1:$ENV{TEST_NGINX_PORT}";
my $head = "Host: $place\nContent-Type: application/x-www-form-urlencoded\n";
my $body = form(Action => 'AssumeRoleWithWebIdentity', Version => '2011-06-15', RoleArn => 'arn:aws:iam::1:role/ci',
    RoleSessionName => 'build', WebIdentityToken => token());
sub exchange {
    my $request = shift;
    my $client = IO::Socket::INET->new($place) or die "connect: $!";
    print $client $request;
    local $/;
    return <$client> // '';
}
like(exchange(raw('POST /sts', "${head}Transfer-Encoding: chunked\n", S3Sign::chunked($body, 7))),
    qr/^HTTP\/1.1 200.*<AccessKeyId>/s, 'in chunks');
like(exchange(raw('POST /sts', "${head}Transfer-Encoding: chunked\n", S3Sign::chunked('x' x 100_000, 9_000))),
    qr/^HTTP\/1.1 413.*<Code>RequestEntityTooLarge/s, 'too many of them');
like(exchange("POST /sts HTTP/1.0\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: " . length($body)
    . "\r\n\r\n$body"), qr/^HTTP\/1.1 200.*<AccessKeyId>/s, 'HTTP/1.0');
like(exchange(raw("GET /sts?$body", "Host: $place\n")), qr/^HTTP\/1.1 200.*<AccessKeyId>/s, 'in a query');
like(slurp('logs/access.log'), qr/"GET \/sts\?\S*&WebIdentityToken=- HTTP/, 'of which the token is in no log');
unlike(slurp('logs/access.log'), qr/eyJ/, 'nor is it elsewhere');
like(exchange(raw('POST /sts', "Host: $place\nContent-Type: text/plain\n", $body)), qr/<Code>MissingAction/, 'of another type');
like(exchange(raw("$_ /sts", $head, $body)), qr/^HTTP\/1.1 400.*<Code>InvalidAction/s, "by $_") for qw(PUT DELETE PATCH);
unlike(exchange(raw('HEAD /sts?Action=GetCallerIdentity', "Host: $place\n")), qr/</, 'by HEAD');
my $two = raw('POST /sts', "${head}Connection: keep-alive\n", $body) . raw('GET /sts', "Host: $place\n");
like(exchange($two), qr/ 200 OK.*<AccessKeyId>.* 400 Bad.*<Code>MissingAction/s, 'one after the other in one connection');
like(exchange(raw('POST /sts', "${head}Expect: 100-continue\n", $body)), qr/^HTTP\/1.1 100 .* 200 OK.*<AccessKeyId>/s, 'it is asked for');
--- unsigned: GET /sts?Action=A&Action=B => 404 <Code>MalformedQueryString</Code>

=== TEST 11: accounts
--- http_config
    upstream tenants {
        server $TEST_NGINX_A;
        s3_origin $TEST_NGINX_A account=acme $TEST_NGINX_CRED_ACME region=us-east-1;
        s3_origin $TEST_NGINX_A account=beta $TEST_NGINX_CRED_BETA region=us-east-1;
    }
--- config
    $TEST_NGINX_ISSUER account=*;
    s3_role ci $TEST_NGINX_ROLE account=acme;
    location /sts { s3_sts; }
    location / { s3_resign on; proxy_pass http://tenants; }
    location /beta { s3_resign on; s3_issuer ci secret=k3GmQ0Zr1vYt7sXw2LpNfHc9BdJu5TaE account=beta; proxy_pass http://tenants; }
--- init
await_keys();
my %key = key_of(identity(token()));
my $answer = ask(%key);
is($answer->{headers}{'x-key'} // $answer->{content}, $answer->{headers}{'x-key'} ? 'AKIDACME' : $answer->{content}, 'with its keys');
is($answer->{status}, 200, 'accepted');
is(asked(\%key, path => '/beta/key'), '400 InvalidToken', 'an issuer of one account does not open it');
--- unsigned: GET /sts => 400 <Code>MissingAction</Code>

=== TEST 12: what nginx rejects by itself, and what is counted
--- http_config
    limit_req_zone $uri zone=calls:1m rate=1r/m;
--- config
    $TEST_NGINX_ISSUER;
    s3_role ci $TEST_NGINX_ROLE;
    location /limited { s3_sts; limit_req zone=calls; }
    location /denied { s3_sts; deny all; }
    location /status { s3_status; }
    $TEST_NGINX_PLACES
--- init
await_keys();
is(verdict(identity(token(), path => '/limited')), '200 ok', 'the first');
is(verdict(identity(token(), path => '/limited')), '503 Throttling', 'the second');
is(verdict(identity(token(), path => '/denied')), '403 AccessDenied', 'denied');
is(verdict(identity('x')), '400 InvalidIdentityToken', 'no token');
my $status = HTTP::Tiny->new->get("http://127.0.0.1:$ENV{TEST_NGINX_PORT}/status?format=prometheus")->{content};
like($status, qr/^\Qs3_resign_sts_calls_total{operation="$_->[0]",outcome="$_->[1]"} $_->[2]\E$/m, "counted: $_->[1]") for
    ['AssumeRoleWithWebIdentity', 'ok', 1], ['none', 'Throttling', 1], ['none', 'AccessDenied', 1],
    ['AssumeRoleWithWebIdentity', 'InvalidIdentityToken', 1];
like($status, qr{^s3_resign_key_set_keys\{source="http://\Q$at\E/jwks/set"\} 3$}m, 'three keys');
like($status, qr{^s3_resign_key_set_refreshes_total\{source="[^"]+",result="succeeded"\} 1$}m, 'one fetch');
my $json = JSON::PP::decode_json(HTTP::Tiny->new->get("http://127.0.0.1:$ENV{TEST_NGINX_PORT}/status?format=json")->{content});
is($json->{key_sets}[0]{keys}, 3, 'in JSON');
is(scalar @{ $json->{sts} }, 4, 'the calls, too');
like(HTTP::Tiny->new->get("http://127.0.0.1:$ENV{TEST_NGINX_PORT}/status")->{content}, qr/Security Token Service/, 'for people');
--- unsigned: GET /sts => 400 <Code>MissingAction</Code>

=== TEST 13: the key set over TLS
--- http_config eval
system("cd $::dir && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout tls.key -out $_.crt"
    . " -days 2 -subj /CN=$_ -addext subjectAltName=DNS:localhost >/dev/null 2>&1") for 'other', 'tls';
"server {
    listen 127.0.0.1:$ENV{TEST_NGINX_TLS_A} ssl;
    ssl_certificate $::dir/tls.crt;
    ssl_certificate_key $::dir/tls.key;
    location /jwks/ { proxy_pass http://$::at; proxy_http_version 1.1; }
}"
--- config eval
my $role = "issuer=$::issuer audience=mine condition=sub:*";
"$ENV{TEST_NGINX_ISSUER};
s3_role ci $role jwks=https://localhost:$ENV{TEST_NGINX_TLS_A}/jwks/set jwks_ca=$::dir/tls.crt;
s3_role wrong $role jwks=https://localhost:$ENV{TEST_NGINX_TLS_A}/jwks/set jwks_ca=$::dir/other.crt;
s3_role name $role jwks=https://127.0.0.1:$ENV{TEST_NGINX_TLS_A}/jwks/set jwks_ca=$::dir/tls.crt;
$ENV{TEST_NGINX_PLACES}"
--- init
my $token = token('ec', claims => { aud => 'mine' });
wait_until(sub { identity($token)->{status} == 200 }, 'they are there');
wait_until(sub { logged('no key set from "https://[^"]+": TLS certificate: ') >= 2 }, 'two that are not trusted');
is(verdict(identity($token, RoleArn => "arn:aws:iam::1:role/$_")), '400 IDPCommunicationError', "none: $_") for qw(wrong name);
--- unsigned: GET /sts => 400 <Code>MissingAction</Code>

=== TEST 14: over HTTP/2
--- http_config eval
S3Test::no_http2() ? '' : "server {
    listen 127.0.0.1:$ENV{TEST_NGINX_TLS_B} http2;
    server_name localhost;
    $ENV{TEST_NGINX_CLIENT}
    $ENV{TEST_NGINX_ISSUER};
    s3_role ci $ENV{TEST_NGINX_ROLE};
    location /sts { s3_sts; }
}"
--- config
    $TEST_NGINX_ISSUER;
    s3_role ci $TEST_NGINX_ROLE;
    location /sts { s3_sts; }
--- init
await_keys();
if (!S3Test::no_http2()) {
    my $place = "127.0.0.1:$ENV{TEST_NGINX_TLS_B}";
    my %fields = (Action => 'AssumeRoleWithWebIdentity', Version => '2011-06-15', RoleArn => 'arn:aws:iam::1:role/ci',
        RoleSessionName => 'build', WebIdentityToken => token('ec', claims => { more => 'x' x 12_000 }));
    my $curl = sub {
        my ($body, @more) = @_;
        open my $out, '>', "$dir/body" or die $!;
        print $out $body;
        close $out;
        return scalar `curl -s -i --http2-prior-knowledge --data-binary \@$dir/body @more http://$place/sts`;
    };
    like($curl->(form(%fields)), qr/^HTTP\/2 200.*<AccessKeyId>/s, 'a long token');
    like($curl->(form(%fields), '-H Content-Length:'), qr/^HTTP\/2 200.*<AccessKeyId>/s, 'of no announced length');
    my $body = 'Action=GetCallerIdentity';
    my $lines = S3Sign::v4_headers(%client, host => $place, service => 'sts', path => '/sts', method => 'POST', body => $body,
        unsaid => 1, headers => ['content-type' => 'application/x-www-form-urlencoded']);
    my @headers = map {"-H '$_'"} grep {!/^host:/i} split /\n/, $lines;
    like($curl->($body, @headers), qr/^HTTP\/2 200.*user\/AKIDCLIENT</s, 'a signed call');
}
--- unsigned: GET /sts => 400 <Code>MissingAction</Code>

=== TEST 15: limit_except
--- config
    $TEST_NGINX_CLIENT
    $TEST_NGINX_ISSUER;
    s3_role ci $TEST_NGINX_ROLE;
    location /get { s3_sts; limit_except POST { allow 127.0.0.1; deny all; } }
    location /post { s3_sts; limit_except GET { allow 127.0.0.1; deny all; } }
    location /closed { s3_sts; limit_except POST { deny all; } }
    location /status { s3_status; limit_except POST { allow 127.0.0.1; deny all; } }
    location /other { s3_sts; limit_except POST { proxy_pass http://$TEST_NGINX_A; } }
    $TEST_NGINX_PLACES
--- init
await_keys();
my %who = (Action => 'GetCallerIdentity', as => \%client);
for my $path (qw(/get /post)) {
    is(verdict(call(%who, path => $path)), '200 ok', "$path: by POST");
    is(verdict(call(%who, path => $path, presigned => 1)), '200 ok', "$path: by GET");
    is(verdict(identity(token(), path => $path)), '200 ok', "$path: keys for a token");
    is(verdict(call(%who, path => $path, X => 'x' x 70_000)), '413 RequestEntityTooLarge', "$path: too long a body");
}
is(verdict(call(%who, path => '/closed')), '200 ok', 'by the method that is open');
is(verdict(call(%who, path => '/closed', presigned => 1)), '403 AccessDenied', 'by another');
is(HTTP::Tiny->new->get("http://127.0.0.1:$ENV{TEST_NGINX_PORT}/status?format=json")->{status}, 200, 's3_status, too');
is(call(%who, path => '/other', presigned => 1)->{headers}{'x-origin'}, 'A', 'the block says itself who answers');
--- unsigned: GET /sts => 400 <Code>MissingAction</Code>

=== TEST 16: pages of other origins
--- config
    $TEST_NGINX_ISSUER;
    s3_role ci $TEST_NGINX_ROLE;
    s3_cors origin=https://app.example methods=POST headers=content-type,amz-sdk-* max_age=1h;
    location /off { s3_sts; s3_cors off; }
    location /denied { s3_sts; deny all; }
    location /status { s3_status; }
    $TEST_NGINX_PLACES
    access_log logs/pages.log combined;
--- init
await_keys();
my %page = (origin => 'https://app.example');
my $may = 'access-control-allow-origin';
for (['/sts', token(), '200 ok'], ['/sts', 'x', '400 InvalidIdentityToken'], ['/denied', token(), '403 AccessDenied']) {
    my ($path, $token, $expected) = @$_;
    my $answer = identity($token, path => $path, headers => \%page);
    is(verdict($answer), $expected, "$path: $expected");
    is($answer->{headers}{$may}, $page{origin}, 'the page may read it');
    is($answer->{headers}{vary}, 'Origin', 'for other pages it is another one');
    is(identity($token, path => $path, headers => { origin => 'https://b' })->{headers}{$may}, undef, 'a stranger may not');
}
is(identity(token(), path => '/off', headers => \%page)->{headers}{$may}, undef, 's3_cors off');
my $preflight = sub {
    my ($path, %headers) = @_;
    my %ask = (%page, 'access-control-request-method' => 'POST', 'access-control-request-headers' => 'amz-sdk-request,content-type', %headers);
    return told(HTTP::Tiny->new->request('OPTIONS', "http://127.0.0.1:$ENV{TEST_NGINX_PORT}$path", { headers => \%ask }));
};
my $answer = $preflight->('/sts');
is($answer->{status}, 204, 'a preflight');
is($answer->{headers}{$may}, $page{origin}, 'whose page may call');
is($answer->{headers}{'access-control-max-age'}, 3600, 'for an hour');
like($answer->{headers}{'access-control-allow-methods'}, qr/POST/, 'by POST');
for ([origin => 'https://b'], ['access-control-request-method' => 'PUT'], ['access-control-request-headers' => 'x-other']) {
    is(verdict($preflight->('/sts', @$_)), '403 AccessDenied', "none by another $_->[0]");
}
is(verdict($preflight->('/sts', 'x-amz-date' => 1)), '400 InvalidAction', 'what a browser would not send');
is(verdict($preflight->('/off')), '400 InvalidAction', 'nobody answers it');
my $status = HTTP::Tiny->new->get("http://127.0.0.1:$ENV{TEST_NGINX_PORT}/status?format=prometheus")->{content};
unlike($status, qr/s3_resign_sts_calls_total\{operation="none",outcome="ok"\}/, 'a preflight is no call');
like($status, qr/^s3_resign_\w+\{auth="preflight"\} 1$/m, 'it is counted');
--- unsigned: GET /sts => 400 <Code>MissingAction</Code>

=== TEST 17: the log names the operation of what cannot be read
--- config
    $TEST_NGINX_ISSUER;
    s3_role ci $TEST_NGINX_ROLE;
    location /status { s3_status; }
    $TEST_NGINX_PLACES
--- init
is(verdict(call(Action => 'AssumeRole', Policy => '{}')), '400 MalformedPolicyDocument', 'a policy');
is(logged('rejected AssumeRole MalformedPolicyDocument: '), 1, 'of which operation');
is(verdict(call(Action => 'AssumeRoleWithSAML')), '400 InvalidAction', 'no operation');
is(logged('rejected call InvalidAction: '), 1, 'of none');
my $status = HTTP::Tiny->new->get("http://127.0.0.1:$ENV{TEST_NGINX_PORT}/status?format=prometheus")->{content};
like($status, qr/^s3_resign_sts_calls_total\{operation="AssumeRole",outcome="MalformedPolicyDocument"\} 1$/m, 'counted');
--- unsigned: GET /sts => 400 <Code>MissingAction</Code>
