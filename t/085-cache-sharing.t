# Who gets what from a cache: nobody anything that an origin would not give him, whatever
# the configuration of the cache says.

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
our @readme = cache_of(grep {/proxy_cache_path/} text('nginx/README.md') =~ /^```nginx\n(.*?)^```$/msg);
our @example = cache_of(text('nginx/examples/cache.conf'));

our $clients = 's3_client MAY secret_key=s allow=all,CreateSession; s3_client MAYTOO secret_key=s allow=all,CreateSession;'
    . ' s3_client OTHER secret_key=s allow=HeadBucket buckets=other; s3_anonymous on;';
our $told = 'add_header X-Cache $upstream_cache_status always;';
our $zone = 'proxy_cache_path cache keys_zone=c:1m levels=1;';
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
our $naive = join "\n", map {
    "location ~ ^/$_\\b { s3_resign on; proxy_pass http://origin_a; $naive{$_} proxy_cache_valid any 1h; $told }"
} sort keys %naive;

prepare();
run_tests();

__DATA__

=== TEST 1: every operation, with the cache of nginx/README.md
--- http_config eval: $readme[0]
--- config eval: "$clients location / { s3_resign on; proxy_pass http://origin_a; $readme[1] $told }"
--- init
hold_every_operation('readme');
--- request
GET /_log/none

=== TEST 2: every operation, with cache.conf
--- http_config eval: $example[0]
--- config eval: "$clients location / { s3_resign on; proxy_pass http://origin_a; $example[1] $told }"
--- init
hold_every_operation('example');
--- request
GET /_log/none

=== TEST 3: which requests share an answer
--- http_config eval: $example[0]
--- config eval: "$clients s3_signature_v2 on; location / { s3_resign on; proxy_pass http://origin_a; $example[1] $told }"
--- init
hold_pairs();
--- request
GET /_log/none

=== TEST 4: what does not come from the cache goes out as it came
--- http_config eval: $example[0]
--- config eval: "$clients location / { s3_resign on; proxy_pass http://origin_a; $example[1] $told }"
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
--- request
GET /_log/none

=== TEST 5: of what is in the cache, nginx gives parts and checks conditions
--- http_config eval: $example[0]
--- config eval: "$clients location / { s3_resign on; proxy_pass http://origin_a; $example[1] $told }"
--- init
my $part = get('GET /t5/k', unsigned => [Range => 'bytes=0-7', 'If-None-Match' => '"x"', 'X-Mock' => 'A=none']);
is(fate($part), '206 MISS', 'a part, which nobody has asked for before');
is($part->{content}, 'origin A', 'the part');
my $whole = get('GET /t5/k');
is(fate($whole), 'HIT', 'then all of it');
unlike($whole->{content}, qr/^header (?:Range|If-)/m, 'which was fetched whole');
my $etag = $whole->{headers}{etag};
for (
    [206, Range => 'bytes=1-2'], [304, 'If-None-Match' => $etag], [412, 'If-Match' => '"x"'], [200, 'If-Match' => $etag],
    [206, Range => 'bytes=1-2', 'If-Range' => $etag], [200, Range => 'bytes=1-2', 'If-Range' => '"x"'], [416, Range => 'bytes=99999-'])
{
    my ($status, @headers) = @$_;
    my $got = get('GET /t5/k', unsigned => \@headers);
    is($got->{status}, $status, "@headers");
}
is(scalar(my @asked = received('/t5')), 1, 'the origin was asked once');
--- request
GET /_log/none

=== TEST 6: the directives of a cache cannot share more
--- http_config eval: $zone . 'map $uri $zone { ~/off/ off; default c; }'
--- config eval: "$clients $naive"
--- init
for my $bucket (sort keys %naive) {
    is(fates(map { ["GET /$bucket/$_"] } qw(a b)), 'MISS MISS', "$bucket: two objects");
    for my $key (qw(a b)) {
        my $got = get("GET /$bucket/$key", as => 'MAYTOO');
        is(fate($got), 'HIT', "$bucket: each from the cache");
        like($got->{content}, qr{^line GET /$bucket/$key HTTP}m, "$bucket: and the right one");
    }
    is(fates(["HEAD /$bucket/a"], ["GET /$bucket/a", as => 'OTHER']), 'HIT 403', "$bucket: HEAD, and who may not");
    for (["GET /$bucket?list-type=2"], ["GET /$bucket/a?acl"], ["GET /$bucket"], ["GET /$bucket/a", headers => \@sse],
        ["POST /$bucket/a?select&select-type=2"], ["PUT /$bucket/a"], ["GET /$bucket/a", body => 'x', headers => ['x-amz-content-sha256' => 'UNSIGNED-PAYLOAD'], by => 'q4'])
    {
        is(fates($_, $_), '- -', "$bucket: $_->[0] comes from the origin");
    }
    my $nobody = get("GET /$bucket/a", as => 'nobody');
    is(fate($nobody), 'MISS', "$bucket: an unsigned request");
    ok(!is_signed_answer($nobody), "$bucket: has an answer of its own");
    is(fates(["GET /$bucket/e", unsigned => ['X-Mock' => 'A=404']], ["GET /$bucket/e"], ["GET /$bucket/f"]),
        '404 MISS 404 HIT MISS', "$bucket: an error is that of its object");
    is(fates(["GET /$bucket/g?acl", unsigned => ['X-Mock' => 'A=404']], ["GET /$bucket/g?acl"], ["GET /$bucket/g"]),
        '404 - - MISS', "$bucket: and not kept where the answer would not be");
}
is(fates((['GET /default/p', by => 'q4']) x 2), 'MISS HIT', 'presigned URLs share an entry without a key of the configuration');
is(fates((['GET /passed/p']) x 2, (['GET /passed/p', unsigned => ['X-Pass' => 1]]) x 2, ['GET /passed/p']), 'MISS HIT - - HIT',
    'what the configuration keeps off both ways');
like(get('GET /passed/b', unsigned => ['X-Pass' => 1, Range => 'bytes=5-6'])->{content}, qr/^header Range: bytes=5-6$/m, 'keeps its range');
is(fates((['GET /passed/c', unsigned => ['X-Store' => 1]]) x 2, ['GET /passed/c', unsigned => ['X-Pass' => 0]]), 'MISS MISS MISS', 'what it does not store');
is(fates((['GET /mapped/off/a']) x 2), '- -', 'a zone that a variable names may be off');
is(fates(['GET /bypass/a', unsigned => ['X-Bypass' => 1]], ['GET /bypass/a']), 'BYPASS HIT', 'a bypass fetches it again');
--- request
GET /_log/none

=== TEST 7: origins with objects of their own
--- http_config eval: $zone
--- config eval
my %to = (one => 'proxy_pass http://origin_a;', again => 'proxy_pass http://origin_a;', two => 'proxy_pass http://origin_b;',
    host  => "proxy_pass http://$ENV{TEST_NGINX_A}; s3_origin $ENV{TEST_NGINX_CRED_A};",
    other => "proxy_pass http://$ENV{TEST_NGINX_A}; s3_origin $ENV{TEST_NGINX_CRED_B};");
$clients . CORE::join "\n", map {"location /$_/ { s3_resign on; rewrite ^/$_(/.*) \$1 break; $to{$_} proxy_cache c; proxy_cache_valid any 1h; $told }"} sort keys %to;
--- init
is(fates(map { ["GET /$_/b/k"] } qw(one two host other again one two host other)),
    'MISS MISS MISS MISS HIT HIT HIT HIT HIT', 'each has an entry, by what goes out');
is(fates(['GET /one/b/k?versionId=1'], ['GET /again/b/k?versionId=1'], ['GET /one/b/k?acl'], ['GET /one/b/k?acl']), 'MISS HIT - -',
    'a rewrite keeps the parameters');
--- request
GET /_log/none

=== TEST 8: HEAD stays HEAD without proxy_cache_convert_head, and is kept nowhere
--- http_config eval: $zone
--- config eval: "$clients location / { s3_resign on; proxy_pass http://origin_a; proxy_cache c; proxy_cache_key x; proxy_cache_convert_head off; proxy_cache_valid any 1h; $told }"
--- init
is(fates(['HEAD /t8/k'], ['GET /t8/k'], ['HEAD /t8/k'], ['GET /t8/k']), '- MISS - HIT', 'HEAD, GET');
like(get('GET /t8/k')->{content}, qr/^origin A$/m, 'with its body');
--- request
GET /_log/none

=== TEST 9: what is added on the way out and changes the answer keeps that out of the cache
--- http_config eval: $zone
--- config eval
my %adds = (key => 'x-amz-server-side-encryption-customer-key $http_x_key', payer => 'x-amz-request-payer requester', mode => 'x-amz-checksum-mode ENABLED',
    harmless => 'X-Real-IP $remote_addr', extract => 'X-Minio-Extract $http_x_key');
$clients . CORE::join "\n", map {"location /$_/ { s3_resign on; proxy_pass http://origin_a; proxy_set_header $adds{$_}; proxy_cache c; proxy_cache_valid any 1h; $told }"} sort keys %adds;
--- init
my @key = (unsigned => ['X-Key' => 'secret']);
is(fates(['GET /key/a', @key], ['GET /key/a'], ['GET /key/a', @key]), 'MISS MISS HIT', 'a key from a client: only the answer without it is kept');
unlike(get('GET /key/a')->{content}, qr/secret/, 'that one');
is(fates(['GET /extract/a', @key], ['GET /extract/a'], ['GET /extract/a', @key]), 'MISS MISS HIT', 'likewise a header of another service');
is(fates((["GET /$_/a"]) x 2), 'MISS MISS', $_) for qw(payer mode);
is(fates((['GET /harmless/a']) x 2), 'MISS HIT', 'what changes nothing');
--- error_log
the answer is not cached: what is sent for "signed origin_a /key/a" is another request
--- request
GET /_log/none

=== TEST 10: parts and answers to conditions that are passed on are kept by nobody
--- http_config eval: $zone
--- config eval
"$clients location / { s3_resign on; proxy_pass http://origin_a; proxy_set_header Range \$http_range; proxy_set_header If-None-Match \$http_if_none_match;"
    . " proxy_cache c; proxy_cache_key \$uri; proxy_cache_valid any 1h; $told }"
--- init
is(fates(['GET /t10/k', unsigned => ['X-Mock' => 'A=range', Range => 'bytes=5-9']], (['GET /t10/k']) x 2), '206 MISS MISS HIT', 'a part');
is(fates(["GET /t10/k$_", unsigned => ['X-Mock' => "A=$_"]], (["GET /t10/k$_"]) x 2), "$_ MISS MISS HIT", "status $_") for 206, 304, 412, 416;
--- request
GET /_log/none

=== TEST 11: slices are kept, each under the range that the configuration puts into its key
--- skip_eval: 10: S3Test::lacks('http_slice_module')
--- http_config eval: $zone
--- config eval
"$clients location / { s3_resign on; proxy_pass http://origin_a; slice 1000; proxy_set_header Range \$slice_range;"
    . " proxy_cache c; proxy_cache_valid 200 206 1h; $told proxy_cache_key \$slice_range;"
    . " location /plain/ { s3_resign on; proxy_pass http://origin_a; proxy_set_header Range \$slice_range; proxy_cache_key x; } }"
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
--- request
GET /_log/none

=== TEST 12: a subrequest for something else gets nothing from the cache
--- skip_eval: 5: S3Test::lacks('http_addition_module')
--- http_config eval: $zone
--- config eval
"s3_client MAY secret_key=s; s3_client OTHER secret_key=s buckets=open; location / { s3_resign on; proxy_pass http://origin_a; proxy_cache c; proxy_cache_key \$uri;"
    . " proxy_cache_valid any 1h; $told addition_types *; location /open/ { s3_resign on; proxy_pass http://origin_a; add_after_body /closed/k; } }"
--- init
is(fates((['GET /closed/k']) x 2), 'MISS HIT', 'it is in the cache');
is(scalar(() = (get('GET /open/k', as => 'OTHER')->{content} // '') =~ /^line GET \/closed/mg), 0, 'and not in an answer to another request');
--- request
GET /_log/none
--- error_log
a subrequest for another URI, "/closed/k", is not forwarded

=== TEST 13: a location without s3_resign that uses the same zone
--- http_config eval: $zone
--- config eval
"$clients location / { s3_resign on; proxy_pass http://origin_a; proxy_cache c; proxy_cache_valid any 1h; add_header X-Key \$s3_cache_key; $told }"
    . " location /open/ { s3_resign off; proxy_pass http://$ENV{TEST_NGINX_A}; proxy_cache c; proxy_cache_key \$http_x_key; proxy_cache_valid any 1h; add_header X-Key \$s3_cache_key; $told }"
--- init
my $got = get('GET /t13/k');
is("@{ $got->{headers} }{qw(x-cache x-key)}", 'MISS signed origin_a /t13/k', 'the key');
my $open = get('GET /open/k', as => 'nobody', unsigned => ['X-Key' => $got->{headers}{'x-key'}]);
is(fate($open), 'MISS', 'is no key elsewhere');
like($open->{headers}{'x-key'}, qr/^uncacheable \w/, 'where there is no such key');
--- request
GET /_log/none

=== TEST 14: the variables, also before the access phase
--- config eval
"$clients location / { set \$before \"\$s3_cacheable \$s3_cache_key\"; s3_resign on; proxy_pass http://origin_a; add_header X-Before \$before; add_header X-After \"\$s3_cacheable \$s3_cache_key\"; }"
--- init
for (
    ['1 signed origin_a /b/k', 'GET /b/k'], ['1 signed origin_a /b/k', 'HEAD /b/%6b', by => 'q4'],
    ['1 signed origin_a /b/k%20?versionId=1 origin=a', 'GET /b/k+?versionId=1' =~ s/\+/%20/r, unsigned => [Origin => 'a']],
    ['1 unsigned origin_a /b/k', 'GET /b/k', as => 'nobody'])
{
    my ($wanted, @asked) = @$_;
    my $got = get(@asked)->{headers};
    is($got->{'x-before'}, $wanted, 'before');
    is($got->{'x-after'}, $wanted, 'after');
}
my %seen;
for (['GET /b/k?acl'], ['PUT /b/k'], ['GET /b'], ['GET /b/k', headers => \@sse], ['GET /b/k?acl'], ['GET /b/k?acl', as => 'nobody']) {
    my $got = get(@$_)->{headers};
    like($got->{'x-before'}, qr/^0 uncacheable [0-9a-f]{32}$/, 'before');
    like($got->{'x-after'}, qr/^0 uncacheable [0-9a-f]{32}$/, 'after');
    is($seen{ $got->{'x-after'} }++, 0, 'a key that nobody had before');
}
--- request
GET /_log/none
