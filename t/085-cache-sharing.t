# Who gets what from a cache: nobody anything that an origin would not give him, whatever
# the configuration of the cache says.
#
# A long file: every operation and every header is asked of each cache.
#
# Blocks with the section `asked` send requests, in the words of S3Test.pm, and say what becomes of each:
#
#   --- asked
#   why these are asked                        (each group of requests is one test)
#       GET /b/k -> MISS                       200, and what the cache did
#       2x presigned GET /b/k as=MAYTOO -> HIT
#       HEAD /b/k mock=A=404 -> 404 -          another status; the cache had no part in it
#       GET /b/k -> 416                        another status, whatever the cache did
#           unsigned Range: bytes=0-7          a header of the request
#           shows ^origin A$                   a pattern for the body of the answer
#           hides secret                       and one that matches nothing in it
#           is origin A                        the whole body
#           has X-Key: signed .*               a header, with a pattern for its value
#           no X-Verified: yes                 not this header
#       /b was asked 3 times                   what the origins have received for a path or below it
#
# $etag is that of the last answer with status 200. `asked_in_each` does the same for each location of
# %naive, whose name stands where a * is.

use feature 'state';
use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test ':running';
use HTTP::Tiny;
use S3Sign;
use Test::Nginx::Socket 'no_plan';

# Every operation of S3, from the table of the core's tests.
our @operations = map {
    my %sent = /(\w+): "([^"]*)"/g;
    \%sent;
} grep {/^ *Sent \{ name:/} split /\n/, text('src/sigv4/tests/common/operations.rs');

# The caches of the documentation: what stands in `http` and in the location.
@ENV{qw(TEST_NGINX_README_ZONE TEST_NGINX_README_CACHE)} = cache_of(grep {/proxy_cache_path/} text('nginx/README.md') =~ /^```nginx\n(.*?)^```$/msg);
@ENV{qw(TEST_NGINX_EXAMPLE_ZONE TEST_NGINX_EXAMPLE_CACHE)} = cache_of(text('nginx/examples/cache.conf'));

$ENV{TEST_NGINX_CLIENTS} = 's3_client MAY secret_key=s allow=all,CreateSession; s3_client MAYTOO secret_key=s allow=all,CreateSession;'
    . ' s3_client OTHER secret_key=s allow=HeadBucket buckets=other; s3_anonymous on;';
$ENV{TEST_NGINX_TOLD} = 'add_header X-Cache $upstream_cache_status always;';
$ENV{TEST_NGINX_ZONE} = 'proxy_cache_path cache keys_zone=c:1m levels=1;';
our @sse = map { ("x-amz-server-side-encryption-customer-$_" => 'x') } qw(algorithm key key-md5);

sub text {
    open my $in, '<', "$FindBin::Bin/../$_[0]" or die "$_[0]: $!";
    local $/;
    return scalar readline $in;
}

sub cache_of {
    my ($conf) = @_;
    my ($path) = $conf =~ /^ *(proxy_cache_path [^;]*;)/m or die 'no cache';
    my @maps = $conf =~ /^ *(map [^{]*\{[^}]*\})/mg;
    my @lines = $conf =~ /^ *((?:proxy_cache(?!_path)|proxy_no_cache|proxy_force_ranges)\w* [^;]*;)/mg;
    return ($path =~ s{/var/cache/nginx/s3}{cache}r . "@maps", "@lines");
}

# Asks nginx: "METHOD TARGET", and headers; `as` is the client, "nobody" for an unsigned request,
# `by` the way of signing.
sub get {
    my ($line, %o) = (@_);
    my ($method, $path, $query) = $line =~ /^(\w+) ([^?]*)\??(.*)$/;
    my $host = "127.0.0.1:$ENV{TEST_NGINX_PORT}";
    my %sign = (method => $method, path => $path, query => $query, key => 'MAY', secret => 's', host => $host,
        headers => $o{headers} // [], unsigned => $o{unsigned} // []);
    $sign{key} = $o{as} if $o{as};
    my ($target, $headers) = ($path . ($query ne '' && "?$query"), '');
    my $by = ($o{as} // '') eq 'nobody' ? 'nobody' : $o{by} // 'h4';
    $headers = h4(%sign) if $by eq 'h4';
    $headers = h2(%sign) if $by eq 'h2';
    ($target, $headers) = (q4(%sign), qh(%sign)) if $by eq 'q4';
    my @sent = (@{ $sign{headers} }, @{ $sign{unsigned} });
    $headers = join '', map {"$sent[2 * $_]: $sent[2 * $_ + 1]\n"} 0 .. @sent / 2 - 1 if $by eq 'nobody';
    my %headers = map { split /: /, $_, 2 } split /\n/, $headers;
    delete @headers{ grep { lc eq 'host' } keys %headers };
    my %content = defined $o{body} ? (content => $o{body}) : ();
    # nginx closes the connection after some answers that it makes of cached ones
    state $http = HTTP::Tiny->new(timeout => 5, max_redirect => 0, keep_alive => 0);
    return $http->request($method, "http://$host$target", { headers => \%headers, %content });
}

# What became of a request: the status where it is not 200, or what the cache did, "-" for nothing.
sub fate {
    my ($answer) = @_;
    my $cache = $answer->{headers}{'x-cache'} // '-';
    return $answer->{status} eq '200' ? $cache : $answer->{status} eq '403' ? 403 : "$answer->{status} $cache";
}
sub fates { join ' ', map { fate(get(@$_)) } @_ }

sub is_signed_answer { ($_[0]{headers}{'x-verified'} // '') eq 'yes' }

# Every operation, asked by those who may, by those who may not, and with another's key.
sub hold_every_operation {
    my ($name) = @_;
    cmp_ok(scalar @operations, '>', 100, 'the operations are found');
    my (@wrong, @lent);
    for my $i (0 .. $#operations) {
        my $sent = $operations[$i];
        my $path = $sent->{path} =~ s{^/b}{/$name$i}r;
        my $line = "$sent->{method} $path" . ($sent->{query} ne '' && "?$sent->{query}");
        my @source = $sent->{source} ? ("x-amz-$sent->{source}-source" => '/b/k2') : ();
        my @fates;
        for my $asked (
            [], [as => 'MAYTOO'], [as => 'OTHER'], [as => 'nobody'], [as => 'nobody'], [more => \@sse],
            [as => 'MAYTOO'])
        {
            my %o = @$asked;
            my $answer = get($line, %o, headers => [@source, @{ $o{more} // [] }]);
            push @fates, fate($answer);
            push @lent, $sent->{name} if ($o{as} // '') =~ /OTHER|nobody/ && is_signed_answer($answer);
        }
        my $is_kept = $sent->{name} =~ /^(?:Get|Head)Object$/;
        my $wanted  = $is_kept ? 'MISS HIT 403 MISS HIT - HIT' : '- - 403 - - - -';
        push @wrong, "$sent->{name}: @fates" if "@fates" ne $wanted;
    }
    is("@wrong", '', 'only objects come from the cache, to those who may have them');
    is("@lent", '', 'and no answer to a signed request goes to others');
}

my %By = (signed => 'h4', presigned => 'q4', signed_v2 => 'h2', unsigned => 'h4');

# A request that Blocks has read, as get() has it.
sub as_get {
    my ($asked) = @_;
    my %o = Blocks::options($asked->{options});
    my ($as, $mock, $body) = delete @o{qw(as mock sent)};
    die "no option @{[keys %o]} here\n" if %o;
    my @unsigned = (defined $mock ? ('X-Mock' => $mock) : (), map { split /: */, $_, 2 } @{ $asked->{unsigned} });
    return ("$asked->{method} $asked->{target}", by => $By{ $asked->{way} },
        as => $asked->{way} eq 'unsigned' ? 'nobody' : $as, body => $body, unsigned => \@unsigned,
        headers => [map { split /: */, $_, 2 } @{ $asked->{headers} }]);
}

our $etag;

# Asks as a block's section says.
sub hold {
    my ($text) = @_;
    for my $group (split /^(?=\S)/m, $text) {
        my ($why, @lines) = grep {/\S/} split /\n/, $group;
        die "nothing is asked: $group\n" if !@lines;
        my (@asked, @times);
        for (@lines) {
            if (/^ {4}(\S+) was asked (\d+) times?$/) { push @times, [$1, $2] }
            elsif (/^ {4}(\S.*) -> (.+)$/) { push @asked, { request => "$1\n", fate => $2 } }
            elsif (/^ {8}(shows|hides|is|has|no) (.*)$/) { push @{ $asked[-1]{checks} }, [$1, $2] }
            elsif (/^ {8}(\S.*)$/) { $asked[-1]{request} .= "    $1\n" }
            else { die "cannot read: $_\n" }
        }
        my (@wanted, @fates, @checks);
        for my $asked (@asked) {
            (my $request = $asked->{request}) =~ s/\$etag/$etag/g;
            my $got;
            for (Blocks::requests(signed => $request)) {
                $got = get(as_get($_));
                push @wanted, $asked->{fate};
                push @fates, $asked->{fate} =~ /^\d+$/ ? $got->{status} : fate($got);
                $etag = $got->{headers}{etag} if $got->{status} eq '200';
            }
            push @checks, map { [$got, @$_] } @{ $asked->{checks} };
        }
        is("@fates", "@wanted", $why) if @asked;
        for (@checks) {
            my ($got, $how, $what) = @$_;
            if    ($how eq 'shows') { like($got->{content}, qr/$what/m, "$why: shows $what") }
            elsif ($how eq 'hides') { unlike($got->{content}, qr/$what/m, "$why: hides $what") }
            elsif ($how eq 'is')    { is($got->{content}, $what, "$why: is $what") }
            else {
                my ($name, $value) = $what =~ /^(\S+): (.*)$/;
                my $header = $got->{headers}{ lc $name } // '';
                if ($how eq 'has') { like($header, qr/^$value$/, "$why: has $what") }
                else               { isnt($header, $value, "$why: no $what") }
            }
        }
        is(scalar(my @received = received($_->[0])), $_->[1], "$why: $_->[0] was asked $_->[1] times") for @times;
    }
}

# Two requests for one key, and what becomes of the second. A request is a line, then headers.
our @pairs = (
    ['GET k',                   'HEAD k',                       'HIT'],
    ['HEAD k',                  'GET k',                        'HIT'],
    ['GET k',                   'GET %6b?x-id=GetObject',       'HIT'],
    ['GET k',                   [q4 => 'GET k'],                'HIT'],
    [[q4 => 'GET k'],           [q4 => 'HEAD k'],               'HIT'],
    [[h2 => 'GET k'],           'GET k',                        'HIT'],
    ['GET k',                   'GET K',                        'MISS'],
    ['GET k',                   'GET k/',                       'MISS'],
    ['GET k?versionId=1',       'HEAD k?version%49d=%31',       'HIT'],
    ['GET k?versionId=1',       'GET k?versionId=2',            'MISS'],
    ['GET k',                   'GET k?versionId=1',            'MISS'],
    ['GET k?versionId=1',       'GET k',                        'MISS'],
    ['GET k?versionId=1',       'GET k%3FversionId=1',          'MISS'],
    ['GET k',                   'GET k?response-content-type=a', 'MISS'],
    ['GET k?response-content-type=a', 'GET k?response-expires=a', 'MISS'],
    ['GET k?response%2Dcontent-type=a', 'GET k?response-content-type=a', 'HIT'],
    ['GET k?versionId=1&response-content-type=a', 'GET k?response-content-type=a&versionId=1', 'HIT'],
    ['GET k',                   'GET k?partNumber=1',           '-'],
    ['GET k?partNumber=1',      'GET k?partNumber=1',           '-'],
    ['GET k?unheard-of=1',      'GET k?unheard-of=1',           '-'],
    ['GET k',                   'GET k?versionId=1&versionId=1', '-'],
    ['GET k',                   ['GET k', 'Origin: a'],         'MISS'],
    [['GET k', 'Origin: a'],    ['GET k', 'Origin: a'],         'HIT'],
    [['GET k', 'Origin: a'],    ['GET k', 'Origin: b'],         'MISS'],
    ['GET k',                   ['GET k', 'x-amz-checksum-mode: ENABLED'], 'MISS'],
    [(['GET k', 'x-amz-checksum-mode: ENABLED']) x 2,           'HIT'],
    ['GET k',                   ['GET k', 'x-amz-user-agent: a'], 'HIT'],
    [(['GET k', 'x-amz-expected-bucket-owner: 1']) x 2,         '-'],
    [(['GET k', 'x-amz-request-payer: requester']) x 2,         '-'],
    [(['GET k', 'x-amz-unheard-of: 1']) x 2,                    '-'],
    [(['GET k', 'X-Minio-Extract: true']) x 2,                  '-'],
    ['GET k', [q4 => 'GET k?x-amz-server-side-encryption-customer-algorithm=AES256'], '-'],
);

sub hold_pairs {
    for my $i (0 .. $#pairs) {
        my @asked = @{ $pairs[$i] }[0, 1];
        for (@asked) {
            my @parts = ref $_ ? @$_ : $_;
            my %o = $parts[0] =~ /^[hq]\d$/ ? (by => shift @parts) : ();
            my ($line, @headers) = @parts;
            $line =~ s{ }{ /pair$i/};
            $_ = [$line, %o, headers => [map { split /: / } @headers]];
        }
        is((split ' ', fates(@asked))[-1], $pairs[$i][2], "$asked[0][0], then $asked[1][0] @{ $asked[1][-1] }");
    }
}

# A location for each bucket, whose cache has these lines.
our %naive = (
    default => 'proxy_cache c;',
    const   => 'proxy_cache c; proxy_cache_key x;',
    uri     => 'proxy_cache c; proxy_cache_key $uri;',
    mapped  => 'proxy_cache $zone; proxy_cache_key x;',
    own     => 'proxy_cache c; proxy_cache_key $s3_cache_key;',
    bypass  => 'proxy_cache c; proxy_cache_key x; proxy_cache_bypass $http_x_bypass; proxy_cache_lock on;',
    passed  => 'proxy_cache c; proxy_cache_key x; proxy_cache_bypass $http_x_pass; proxy_no_cache $http_x_store $http_x_pass;',
    post    => 'proxy_cache c; proxy_cache_key x; proxy_cache_methods GET HEAD POST;',
    nested  => 'proxy_cache c; proxy_cache_key x; if ($http_host) { set $x 1; }',
    stale   => 'proxy_cache c; proxy_cache_key x; proxy_cache_use_stale error timeout http_403 http_404;',
);
$ENV{TEST_NGINX_NAIVE} = join "\n", map {
    "location ~ ^/$_\\b { s3_resign on; proxy_pass http://origin_a; $naive{$_} proxy_cache_valid any 1h; $ENV{TEST_NGINX_TOLD} }"
} sort keys %naive;

prepare();
our %asked;
add_block_preprocessor(sub {
    my $block = shift;
    my $name  = $block->name;
    my $each  = $block->asked_in_each;
    my @asked = (defined $each ? map({ $each =~ s/\*/$_/gr } sort keys %naive) : (), $block->asked // ());
    if (@asked) {
        $asked{$name} = \@asked;
        $block->set_value(init => ($block->init // '') . ";hold(\$_) for \@{ \$main::asked{q($name)} }");
    }
    $block->set_value(request => 'GET /_log/none');    # all is asked before, in init
});
run_tests();

__DATA__

=== TEST 1: every operation, with the cache of nginx/README.md
--- http_config
    $TEST_NGINX_README_ZONE
--- config
    $TEST_NGINX_CLIENTS
    location / { s3_resign on; proxy_pass http://origin_a; $TEST_NGINX_README_CACHE $TEST_NGINX_TOLD }
--- init
hold_every_operation('readme');

=== TEST 2: every operation, with cache.conf
--- http_config
    $TEST_NGINX_EXAMPLE_ZONE
--- config
    $TEST_NGINX_CLIENTS
    location / { s3_resign on; proxy_pass http://origin_a; $TEST_NGINX_EXAMPLE_CACHE $TEST_NGINX_TOLD }
--- init
hold_every_operation('example');

=== TEST 3: which requests share an answer
--- http_config
    $TEST_NGINX_EXAMPLE_ZONE
--- config
    $TEST_NGINX_CLIENTS s3_signature_v2 on;
    location / { s3_resign on; proxy_pass http://origin_a; $TEST_NGINX_EXAMPLE_CACHE $TEST_NGINX_TOLD }
--- init
hold_pairs();

=== TEST 4: what does not come from the cache goes out as it came
--- http_config
    $TEST_NGINX_EXAMPLE_ZONE
--- config
    $TEST_NGINX_CLIENTS
    location / { s3_resign on; proxy_pass http://origin_a; $TEST_NGINX_EXAMPLE_CACHE $TEST_NGINX_TOLD }
--- init
my %conditions = (Range => 'bytes=0-9', 'If-Match' => '"a"', 'If-None-Match' => '"b"', 'If-Range' => '"c"',
    'If-Modified-Since' => 'Thu, 01 Jan 2026 00:00:00 GMT', 'If-Unmodified-Since' => 'Fri, 02 Jan 2026 00:00:00 GMT');
for my $asked (['k?partNumber=1'], ['k?acl'], ['k', @sse], ['k', 'x-amz-expected-bucket-owner' => 1], ['k?unheard-of'], ['k', nobody => 1]) {
    my ($key, @headers) = @$asked;
    my %o = @headers && $headers[0] eq 'nobody' ? (as => 'nobody', headers => ['x-amz-request-payer' => 'x']) : (headers => \@headers);
    my $got = get("GET /t4/$key", %o, unsigned => [%conditions]);
    is(fate($got), '-', "GET $key @headers: passed on");
    for my $name (sort keys %conditions) {
        like($got->{content}, qr/^header \Q$name: $conditions{$name}\E$/m, "with $name");
    }
    $got = get("HEAD /t4/$key", %o);
    like($got->{headers}{'x-line'}, qr{^HEAD /t4/}, 'and HEAD as HEAD');
}

=== TEST 5: of what is in the cache, nginx gives parts and checks conditions
--- http_config
    $TEST_NGINX_EXAMPLE_ZONE
--- config
    $TEST_NGINX_CLIENTS
    location / { s3_resign on; proxy_pass http://origin_a; $TEST_NGINX_EXAMPLE_CACHE $TEST_NGINX_TOLD }
--- asked
a part, which nobody has asked for before
    GET /t5/k mock=A=none -> 206 MISS
        unsigned Range: bytes=0-7
        unsigned If-None-Match: "x"
        is origin A
then all of it, which was fetched whole
    GET /t5/k -> HIT
        hides ^header (?:Range|If-)
a part
    GET /t5/k -> 206 HIT
        unsigned Range: bytes=1-2
what the client has
    GET /t5/k -> 304 HIT
        unsigned If-None-Match: $etag
not what the client wants
    GET /t5/k -> 412 HIT
        unsigned If-Match: "x"
what the client wants
    GET /t5/k -> HIT
        unsigned If-Match: $etag
a part of what the client has
    GET /t5/k -> 206 HIT
        unsigned Range: bytes=1-2
        unsigned If-Range: $etag
all, since it is not what the client has
    GET /t5/k -> HIT
        unsigned Range: bytes=1-2
        unsigned If-Range: "x"
a part that there is not
    GET /t5/k -> 416
        unsigned Range: bytes=99999-
one request to the origin
    /t5 was asked 1 time

=== TEST 6: the directives of a cache cannot share more
--- http_config
    $TEST_NGINX_ZONE
    map $uri $zone { ~/off/ off; default c; }
--- config
    $TEST_NGINX_CLIENTS
    $TEST_NGINX_NAIVE
--- asked_in_each
*: two objects
    GET /*/a -> MISS
    GET /*/b -> MISS
*: one from the cache, and the right one
    GET /*/a as=MAYTOO -> HIT
        shows ^line GET /*/a HTTP
*: the other from the cache, and the right one
    GET /*/b as=MAYTOO -> HIT
        shows ^line GET /*/b HTTP
*: HEAD, and who may not
    HEAD /*/a -> HIT
    GET /*/a as=OTHER -> 403
*: a list comes from the origin
    2x GET /*?list-type=2 -> -
*: an ACL comes from the origin
    2x GET /*/a?acl -> -
*: a bucket comes from the origin
    2x GET /* -> -
*: what the client encrypts comes from the origin
    2x GET /*/a -> -
        x-amz-server-side-encryption-customer-algorithm: x
        x-amz-server-side-encryption-customer-key: x
        x-amz-server-side-encryption-customer-key-md5: x
*: what is selected comes from the origin
    2x POST /*/a?select&select-type=2 -> -
*: an upload goes to the origin
    2x PUT /*/a -> -
*: what is asked with a body comes from the origin
    2x presigned GET /*/a sent=x -> -
        x-amz-content-sha256: UNSIGNED-PAYLOAD
*: an unsigned request has an answer of its own
    unsigned GET /*/a -> MISS
        no X-Verified: yes
*: an error is that of its object
    GET /*/e mock=A=404 -> 404 MISS
    GET /*/e -> 404 HIT
    GET /*/f -> MISS
*: and not kept where the answer would not be
    GET /*/g?acl mock=A=404 -> 404 -
    GET /*/g?acl -> -
    GET /*/g -> MISS
--- asked
presigned URLs share an entry without a key of the configuration
    presigned GET /default/p -> MISS
    presigned GET /default/p -> HIT
what the configuration keeps off both ways
    GET /passed/p -> MISS
    GET /passed/p -> HIT
    2x GET /passed/p -> -
        unsigned X-Pass: 1
    GET /passed/p -> HIT
keeps its range
    GET /passed/b -> -
        unsigned X-Pass: 1
        unsigned Range: bytes=5-6
        shows ^header Range: bytes=5-6$
what it does not store
    2x GET /passed/c -> MISS
        unsigned X-Store: 1
    GET /passed/c -> MISS
        unsigned X-Pass: 0
a zone that a variable names may be off
    2x GET /mapped/off/a -> -
a bypass fetches it again
    GET /bypass/a -> BYPASS
        unsigned X-Bypass: 1
    GET /bypass/a -> HIT

=== TEST 7: origins with objects of their own
--- http_config
    $TEST_NGINX_ZONE
--- config
    $TEST_NGINX_CLIENTS
    location /again/ { s3_resign on; rewrite ^/again(/.*) $1 break; proxy_pass http://origin_a; proxy_cache c; proxy_cache_valid any 1h; $TEST_NGINX_TOLD }
    location /host/ { s3_resign on; rewrite ^/host(/.*) $1 break; proxy_pass http://$TEST_NGINX_A; s3_origin $TEST_NGINX_CRED_A; proxy_cache c; proxy_cache_valid any 1h; $TEST_NGINX_TOLD }
    location /if/a/ { s3_resign on; if ($host) { set $is_there 1; } rewrite ^/if/a(/.*) $1 break; proxy_pass http://origin_a; proxy_cache c; proxy_cache_valid any 1h; $TEST_NGINX_TOLD }
    location /if/b/ { s3_resign on; if ($host) { set $is_there 1; } rewrite ^/if/b(/.*) $1 break; proxy_pass http://origin_b; proxy_cache c; proxy_cache_valid any 1h; $TEST_NGINX_TOLD }
    location /one/ { s3_resign on; rewrite ^/one(/.*) $1 break; proxy_pass http://origin_a; proxy_cache c; proxy_cache_valid any 1h; $TEST_NGINX_TOLD }
    location /other/ { s3_resign on; rewrite ^/other(/.*) $1 break; proxy_pass http://$TEST_NGINX_A; s3_origin $TEST_NGINX_CRED_B; proxy_cache c; proxy_cache_valid any 1h; $TEST_NGINX_TOLD }
    location /two/ { s3_resign on; rewrite ^/two(/.*) $1 break; proxy_pass http://origin_b; proxy_cache c; proxy_cache_valid any 1h; $TEST_NGINX_TOLD }
--- asked
each has an entry, by what goes out
    GET /one/b/k -> MISS
    GET /two/b/k -> MISS
    GET /host/b/k -> MISS
    GET /other/b/k -> MISS
    GET /again/b/k -> HIT
    GET /one/b/k -> HIT
    GET /two/b/k -> HIT
    GET /host/b/k -> HIT
    GET /other/b/k -> HIT
an "if" changes nothing
    GET /if/a/b/k -> HIT
    GET /if/b/b/k -> HIT
    GET /if/a/b/l -> MISS
    GET /if/b/b/l -> MISS
a rewrite keeps the parameters
    GET /one/b/k?versionId=1 -> MISS
    GET /again/b/k?versionId=1 -> HIT
    2x GET /one/b/k?acl -> -

=== TEST 8: HEAD stays HEAD without proxy_cache_convert_head, and is kept nowhere
--- http_config
    $TEST_NGINX_ZONE
--- config
    $TEST_NGINX_CLIENTS
    location / {
        s3_resign on; proxy_pass http://origin_a; proxy_cache c; proxy_cache_key x; proxy_cache_convert_head off;
        proxy_cache_valid any 1h; $TEST_NGINX_TOLD
    }
--- asked
HEAD, GET
    HEAD /t8/k -> -
    GET /t8/k -> MISS
    HEAD /t8/k -> -
    GET /t8/k -> HIT
with its body
    GET /t8/k -> HIT
        shows ^origin A$

=== TEST 9: what is added on the way out and changes the answer keeps that out of the cache
--- http_config
    $TEST_NGINX_ZONE
--- config
    $TEST_NGINX_CLIENTS
    location /extract/ { s3_resign on; proxy_pass http://origin_a; proxy_set_header X-Minio-Extract $http_x_key; proxy_cache c; proxy_cache_valid any 1h; $TEST_NGINX_TOLD }
    location /harmless/ { s3_resign on; proxy_pass http://origin_a; proxy_set_header X-Real-IP $remote_addr; proxy_cache c; proxy_cache_valid any 1h; $TEST_NGINX_TOLD }
    location /key/ { s3_resign on; proxy_pass http://origin_a; proxy_set_header x-amz-server-side-encryption-customer-key $http_x_key; proxy_cache c; proxy_cache_valid any 1h; $TEST_NGINX_TOLD }
    location /mode/ { s3_resign on; proxy_pass http://origin_a; proxy_set_header x-amz-checksum-mode ENABLED; proxy_cache c; proxy_cache_valid any 1h; $TEST_NGINX_TOLD }
    location /payer/ { s3_resign on; proxy_pass http://origin_a; proxy_set_header x-amz-request-payer requester; proxy_cache c; proxy_cache_valid any 1h; $TEST_NGINX_TOLD }
--- asked
a key from a client: only the answer without it is kept
    GET /key/a -> MISS
        unsigned X-Key: secret
    GET /key/a -> MISS
    GET /key/a -> HIT
        unsigned X-Key: secret
that one
    GET /key/a -> HIT
        hides secret
likewise a header of another service
    GET /extract/a -> MISS
        unsigned X-Key: secret
    GET /extract/a -> MISS
    GET /extract/a -> HIT
        unsigned X-Key: secret
who pays
    2x GET /payer/a -> MISS
whether there is a checksum
    2x GET /mode/a -> MISS
what changes nothing
    GET /harmless/a -> MISS
    GET /harmless/a -> HIT
--- error_log
the answer is not cached: what is sent for "signed origin_a /key/a" is another request

=== TEST 10: parts and answers to conditions that are passed on are kept by nobody
--- http_config
    $TEST_NGINX_ZONE
--- config
    $TEST_NGINX_CLIENTS
    location / {
        s3_resign on; proxy_pass http://origin_a;
        proxy_set_header Range $http_range; proxy_set_header If-None-Match $http_if_none_match;
        proxy_cache c; proxy_cache_key $uri; proxy_cache_valid any 1h; $TEST_NGINX_TOLD
    }
--- asked
a part
    GET /t10/k mock=A=range -> 206 MISS
        unsigned Range: bytes=5-9
    GET /t10/k -> MISS
    GET /t10/k -> HIT
status 206
    GET /t10/k206 mock=A=206 -> 206 MISS
    GET /t10/k206 -> MISS
    GET /t10/k206 -> HIT
status 304
    GET /t10/k304 mock=A=304 -> 304 MISS
    GET /t10/k304 -> MISS
    GET /t10/k304 -> HIT
status 412
    GET /t10/k412 mock=A=412 -> 412 MISS
    GET /t10/k412 -> MISS
    GET /t10/k412 -> HIT
status 416
    GET /t10/k416 mock=A=416 -> 416 MISS
    GET /t10/k416 -> MISS
    GET /t10/k416 -> HIT

=== TEST 11: slices are kept, each under the range that the configuration puts into its key
--- skip_eval: 10: S3Test::lacks('http_slice_module')
--- http_config
    $TEST_NGINX_ZONE
--- config
    $TEST_NGINX_CLIENTS
    location / {
        s3_resign on; proxy_pass http://origin_a; slice 1000; proxy_set_header Range $slice_range;
        proxy_cache c; proxy_cache_valid 200 206 1h; $TEST_NGINX_TOLD proxy_cache_key $slice_range;
        location /plain/ { s3_resign on; proxy_pass http://origin_a; proxy_set_header Range $slice_range; proxy_cache_key x; }
    }
--- init
mood('A=range');
my $whole = get('GET /t11/k');
is(length $whole->{content}, 3000, 'all of it');
is(get('GET /t11/k', as => 'MAYTOO')->{content}, $whole->{content}, 'again');
is(get('GET /t11/k', by => 'q4', unsigned => [Range => 'bytes=1500-2499'])->{content}, substr($whole->{content}, 1500, 1000), 'a part of two');
is(scalar(my @asked = received('/t11')), 3, 'from three slices');
is(fate(get('GET /t11/k', as => 'OTHER')), 403, 'for those who may');
get('GET /t11/k', as => 'nobody');
is(scalar(@asked = received('/t11')), 6, 'and an unsigned request gets none of them');
is(get('GET /plain/k')->{content}, get('GET /plain/k')->{content}, 'without the range in the key they are not mixed up');
is(scalar(@asked = received('/plain')), 6, 'nor kept');
mood('A=none');

=== TEST 12: a subrequest for something else gets nothing from the cache
--- skip_eval: 6: S3Test::lacks('http_addition_module')
--- http_config
    $TEST_NGINX_ZONE
--- config
    s3_client MAY secret_key=s; s3_client OTHER secret_key=s buckets=open;
    location / {
        s3_resign on; proxy_pass http://origin_a; proxy_cache c; proxy_cache_key $uri;
        proxy_cache_valid any 1h; $TEST_NGINX_TOLD addition_types *;
        location /open/ { s3_resign on; proxy_pass http://origin_a; add_after_body /closed/k; }
    }
--- asked
it is in the cache
    GET /closed/k -> MISS
    GET /closed/k -> HIT
and not in an answer to another request
    GET /open/k as=OTHER -> MISS
        hides ^line GET /closed
--- error_log
a subrequest for another URI, "/closed/k", is not forwarded

=== TEST 13: a location without s3_resign that uses the same zone
--- http_config
    $TEST_NGINX_ZONE
--- config
    $TEST_NGINX_CLIENTS
    location / {
        s3_resign on; proxy_pass http://origin_a; proxy_cache c; proxy_cache_valid any 1h;
        add_header X-Key $s3_cache_key; $TEST_NGINX_TOLD
    }
    location /open/ {
        s3_resign off; proxy_pass http://$TEST_NGINX_A; proxy_cache c; proxy_cache_key $http_x_key; proxy_cache_valid any 1h;
        add_header X-Key $s3_cache_key; $TEST_NGINX_TOLD
    }
--- asked
the key
    GET /t13/k -> MISS
        has X-Key: signed origin_a /t13/k
is no key elsewhere, where there is no such key
    unsigned GET /open/k -> MISS
        unsigned X-Key: signed origin_a /t13/k
        has X-Key: uncacheable \w.*

=== TEST 14: the variables, also before the access phase
--- config
    $TEST_NGINX_CLIENTS
    location / {
        set $before "$s3_cacheable $s3_cache_key"; s3_resign on; proxy_pass http://origin_a;
        add_header X-Before $before; add_header X-After "$s3_cacheable $s3_cache_key";
    }
--- asked
an object
    GET /b/k -> -
        has X-Before: 1 signed origin_a /b/k
        has X-After: 1 signed origin_a /b/k
the same object
    presigned HEAD /b/%6b -> -
        has X-Before: 1 signed origin_a /b/k
        has X-After: 1 signed origin_a /b/k
with parameters and headers that count
    GET /b/k%20?versionId=1 -> -
        unsigned Origin: a
        has X-Before: 1 signed origin_a /b/k%20\?versionId=1 origin=a
        has X-After: 1 signed origin_a /b/k%20\?versionId=1 origin=a
an object that anybody may have
    unsigned GET /b/k -> -
        has X-Before: 1 unsigned origin_a /b/k
        has X-After: 1 unsigned origin_a /b/k
--- init
my %seen;
for (['GET /b/k?acl'], ['PUT /b/k'], ['GET /b'], ['GET /b/k', headers => \@sse], ['GET /b/k?acl'], ['GET /b/k?acl', as => 'nobody']) {
    my $got = get(@$_)->{headers};
    like($got->{'x-before'}, qr/^0 uncacheable [0-9a-f]{32}$/, 'before');
    like($got->{'x-after'}, qr/^0 uncacheable [0-9a-f]{32}$/, 'after');
    is($seen{ $got->{'x-after'} }++, 0, 'a key that nobody had before');
}
