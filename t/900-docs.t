# The documentation is true: nginx takes every configuration in it and in nginx/, its
# commands work, its links lead somewhere, and its lists are those of the source.

use strict;
use warnings;

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use File::Basename qw(basename);
use File::Temp qw(tempdir);
use Files;
use HTTP::Tiny;
use MIME::Base64 qw(encode_base64);
use MockOrigin;
use S3Sign;
use S3Test;
use Test::More;
use Time::HiRes qw(sleep);

chdir "$FindBin::Bin/.." or die;
my $nginx  = $ENV{TEST_NGINX_BINARY} // 'nginx';
my $module = (split ' ', $ENV{TEST_NGINX_LOAD_MODULES})[-1];
my $port   = $ENV{TEST_NGINX_PORT};
my $dir    = tempdir(CLEANUP => 1);
my @docs = (
    qw(README.md nginx/README.md docker/README.md src/README.md t/README.md),
    qw(CHANGELOG.md .github/CONTRIBUTING.md .github/SECURITY.md),
);
my %doc = map { $_ => slurp($_) } @docs;
# What an example needs that not every nginx is built with.
my %lacking = ('private-files.conf' => S3Test::lacks('http_secure_link_module'));

my %origin = (
    name => 'A', key => 'AKIDORIGIN', region => 'us-east-1',
    secret => 'a secret of the origin', listen => ['127.0.0.1:' . ($port + 1)],
);
my %env = (
    CLIENT_ACCESS_KEY => 'AKIDAPP',    CLIENT_SECRET_KEY => 'a secret of the client',
    ORIGIN_ACCESS_KEY => $origin{key}, ORIGIN_SECRET_KEY => $origin{secret},
    map({ ("${_}_ACCESS_KEY" => "AKID$_", "${_}_SECRET_KEY" => "secret $_") } qw(A B)),
    S3_ISSUER_SECRET => 'k3GmQ0Zr1vYt7sXw2LpNfHc9BdJu5TaE',
    PAYROLL_KEY => encode_base64('p' x 32, ''),
);
@ENV{ keys %env } = values %env;

# ------------------------------------------------------------- configurations

S3Test::certificates($dir) or die 'no openssl command to make certificates with';
my @examples = glob 'nginx/examples/*.conf';
cmp_ok(scalar @examples, '>=', 7, 'there are examples');
for my $file (@examples) {
    accepted($file, slurp($file)) unless $lacking{basename $file};
    ok((grep { $_->[1] eq $file } map { links($_) } @docs), "a README.md links to $file");
}

for my $doc (qw(README.md nginx/README.md)) {
    my @blocks = fenced('nginx', $doc);
    cmp_ok(scalar @blocks, '>=', 1, "$doc has configurations");
    accepted("$doc, configuration $_", $blocks[$_ - 1]) for 1 .. @blocks;
}

# The template as the entrypoint fills it in.
{
    my %image = (
        PATH => "$ENV{PATH}:/usr/sbin", NGINX => $nginx, PORT => $port, S3_RESIGN_RUN => "$dir/image",
        S3_RESIGN_MODULE => $module, S3_RESIGN_TEMPLATE => 'nginx/default.conf.template',
        (map { $_ => $env{$_} } grep {/^(?:CLIENT|ORIGIN)_/} keys %env),
        ORIGIN_DOMAIN => '127.0.0.1', AWS_REGION => 'eu-central-1',
    );
    my $variables = join ' ', map {"'$_=$image{$_}'"} keys %image;
    my $program = S3Test::entrypoint();
    my $out = `env -i $variables $program -t 2>&1`;
    is($?, 0, 'nginx/default.conf.template passes nginx -t') or diag($out);
    unlike($out, qr/\[(?:warn|error|emerg)\]/, 'without a warning');
}
refused('a misspelt parameter', slurp('nginx/examples/minimal.conf') =~ s/ region=/ regio=/r,
    'unknown parameter "regio"');

# Puts the machine's paths and names in the place of the examples'.
sub adapted {
    my $conf = shift;
    my $reads = join '|', qw(admin reader backup acme-a acme-b acme beta-a beta a b);
    mkdir "$dir/$_" for qw(s3 cache log);
    write_file("$dir/s3/$_", "secret of $_\n") for split /\|/, $reads;
    write_file("$dir/s3/clients", "AKIDJOB secret_key=secret allow=read\n");
    write_file("$dir/s3/private.key", encode_base64('k' x 32, '') . "\n");
    $conf =~ s{modules/ngx_http_s3_resign_module\.so}{$module};
    write_file("$dir/s3/seal", 'k' x 32 . "\n");
    $conf =~ s{/etc/nginx/s3/($reads|clients|private\.key|seal)\b}{$dir/s3/$1}g;
    $conf =~ s{/var/cache/nginx/s3}{$dir/cache}g;
    $conf =~ s{/var/log/nginx}{$dir/log}g;
    $conf =~ s{\bs3-a\.example\.com}{127.0.0.1}g;
    $conf =~ s{\bs3-b\.example\.com}{127.0.0.2}g;
    $conf =~ s{\bs3\.eu-central-1\.amazonaws\.com(?=;)}{127.0.0.3};
    $conf =~ s{\bs3\.us-east-1\.amazonaws\.com}{127.0.0.4}g;
    $conf =~ s{\bs3\.us-west-2\.amazonaws\.com}{127.0.0.5}g;
    $conf =~ s{\bassume_role=\S+\K}{ sts_endpoint=https://127.0.0.6}g;
    $conf =~ s{\bjwks=https://\K[^/\s]+}{127.0.0.7}g;
    $conf =~ s{\bjwks_ca=\K\S+}{$dir/ca.crt}g;
    $conf =~ s{/etc/nginx/tls/s3\.}{$dir/a.}g;
    $conf =~ s{\blisten 443 ssl;}{listen 127.0.0.1:$port ssl;}g;
    $conf =~ s{\blisten 8080;}{listen 127.0.0.1:$port;}g;
    $conf =~ s{\b127\.0\.0\.1:9000\b}{$origin{listen}[0]}g;
    my $temp = join '', map {"    ${_}_temp_path $dir/$_;\n"}
        qw(client_body proxy fastcgi uwsgi scgi);
    $conf =~ s/^http \{\n\K/    access_log $dir\/log\/access.log;\n$temp/m;
    return ($> == 0 ? "user root;\n" : '') . $conf;
}

sub check {
    write_file("$dir/nginx.conf", adapted(shift));
    my $out = `$nginx -t -e stderr -p $dir -c $dir/nginx.conf -g 'pid $dir/nginx.pid;' 2>&1`;
    return ($? == 0, $out);
}

sub accepted {
    my ($name, $conf) = @_;
    my ($ok, $out) = check($conf);
    ok($ok, "$name passes nginx -t") or diag($out);
    unlike($out, qr/\[(?:warn|error|emerg)\]/, "$name has no warning");
    like($conf, qr/s3_resign +on;/, "$name uses the module");
}

sub refused {
    my ($name, $conf, $why) = @_;
    my ($ok, $out) = check($conf);
    ok(!$ok, "$name fails nginx -t");
    like($out, qr/\Q$why\E/, "$name: the reason");
}

# ------------------------------------------------------------------- commands

my $makefile = slurp('Makefile');
my %rules = map { $_ => 1 } map { slurp($_) =~ m{^([a-z0-9-]+|docker/\.env):}mg } 'Makefile', glob '*/*.mk';
my @commands = map { grep {length} split /\n/ } map { fenced('sh', $_) } @docs;
my @presign  = grep {m{^target/release/sign_s3 }} @commands;
cmp_ok(scalar @presign, '>=', 5, 'nginx/README.md shows sign_s3');
for my $command (@commands) {
    next if grep { $_ eq $command } @presign;
    if (my ($file) = $command =~ m{^prove -It/lib (t/[\w-]+\.t)$}) {
        ok(-e $file, "$command: there is that file");
        next;
    }
    # `make test` and `make demo` are run where changes are accepted; here they must exist
    my ($target, $variables) = $command =~ /^make (\w+)((?: [A-Z_]+=\S+)*)$/;
    ok($target, "$command is a make command") or next;
    like($makefile, qr/^$target:.*## /m, "$command is one of `make help`");
    like($makefile, qr/^#>.*\b$_=/m, "and so is $_") for $variables =~ /([A-Z_]+)=/g;
}

for my $doc (@docs) {
    ok($rules{$_}, "$doc: there is make $_") for $doc{$doc} =~ /`make ([^\s`=]+)[ `]/g;
}

# The file of tests that is shown passes, as one of this folder would.
{
    mkdir "$dir/t";
    symlink "$FindBin::Bin/lib", "$dir/t/lib" or die $!;
    my ($file) = fenced('perl', 't/README.md');
    write_file("$dir/t/010-example.t", $file);
    delete local $ENV{TEST_NGINX_SERVROOT};
    my $out = `prove -v -It/lib $dir/t/010-example.t 2>&1`;
    is($?, 0, 't/README.md: the example passes') or diag($out);
    cmp_ok(scalar(() = $out =~ /^ok /mg), '>=', 4, 't/README.md: the example tests something');
}

my $mock = MockOrigin::start('127.0.0.1:' . ($port + 4), \%origin);
my $http = HTTP::Tiny->new(timeout => 20);
running('minimal.conf', sub {
    for my $command (@presign) {
        my $here = $command =~ s/localhost:8080/127.0.0.1:$port/r;
        my $out  = `$here`;
        is($?, 0, "$command: exit status");
        if ($command =~ / --help$/) {
            like($out, qr/^usage: sign_s3 /m, "$command: prints its usage");
            next;
        }
        if ($command =~ / mint /) {
            like($out, qr/\bS3M1ci[A-Z2-7]{23}\b/, "$command: prints a key");
            next;
        }
        like($out, qr{^http://127\.0\.0\.1:$port/\S+\n\z}, "$command: prints a URL");
        chomp(my $url = $out);
        my ($method) = $command =~ /--method (\w+)/;
        my %headers  = $command =~ /--header '([^:]+): ([^']+)'/;
        my $answer   = $http->request($method // 'GET', $url, { headers => \%headers });
        if ($command =~ / -v 2 /) {
            is($answer->{status}, 400, "$command: V2 is refused where it is not switched on");
            like($answer->{content}, qr{<Code>InvalidRequest</Code>}, "$command: the code");
        }
        else {
            like($answer->{content}, qr/^verified yes$/m, "$command: the origin got it signed anew");
        }
    }
});

# ------------------------------------------------------- what an example claims

running('cache.conf', sub {
    my $cached = sub { my $answer = signed(path => '/b/k', @_);
        "$answer->{status} " . ($answer->{headers}{'x-cache-status'} // '') };
    is($cached->(), '200 MISS', 'cache.conf: first');
    is($cached->(), '200 HIT',  'cache.conf: then from the cache');
    is($cached->(query => 'x-id=GetObject'), '200 HIT', 'cache.conf: a parameter without meaning');
    is($cached->(method => 'HEAD'), '200 HIT', 'cache.conf: HEAD');
    is($cached->(headers => [range => 'bytes=0-3']), '206 HIT', 'cache.conf: Range');
    is($cached->(tamper  => 1), '403 ', 'cache.conf: verified first');
    is($cached->(query   => $_), '200 MISS', "cache.conf: another answer with $_")
        for qw(versionId=1 response-content-type=a);
    is($cached->(query => $_), '200 ', "cache.conf: not with $_") for qw(partNumber=1 acl list-type=2);
    is($cached->(path => '/b'), '200 ', 'cache.conf: no listing');
});

running('readers-and-writers.conf', sub {
    my $status = sub { signed(key => "AKID\U$_[0]", secret => "secret of $_[0]", @_[1 .. $#_])->{status} };
    is($status->(reader => path => '/media/k'), 200, 'readers-and-writers.conf: a reader reads');
    is($status->(reader => path => '/media/k', method => 'PUT'), 403, 'but does not write');
    is($status->(reader => path => '/other/k'), 403, 'nor read elsewhere');
    is($status->(backup => path => '/backup/k', method => 'PUT'), 200, 'a writer writes');
    is($status->(backup => path => '/backup/k'), 403, 'but does not read');
    is($status->(reader => path => '/media/k'), 503, 'a client has its limit');
    is($status->(admin  => path => '/other/k'), 200, 'which is not that of another');
    like(slurp("$dir/log/s3.log"), qr{ AKIDREADER v4-header PutObject media/k 403 AccessDenied },
        'the log says who tried what');
}, sub { s{rate=100r/s}{rate=1r/m}; s{burst=200}{burst=2} });

running('minted-keys.conf', sub {
    my ($command) = slurp('nginx/examples/minted-keys.conf') =~ /^# +S3_ISSUER_SECRET=\S+ sign_s3 (mint .*)$/m;
    my @options = map {tr/'//dr} split ' ', $command;
    my %read = S3Test::minted("env:S3_ISSUER_SECRET", @options[1 .. $#options]);
    my %wide = S3Test::minted("env:S3_ISSUER_SECRET", '--issuer', 'ci');
    is(signed(%read, path => '/media/2026/k')->{status}, 200, 'minted-keys.conf: within its scope');
    is(signed(%read, path => '/media/2025/k')->{status}, 403, 'but not outside');
    is(signed(%wide, path => '/media/k', method => 'DELETE')->{status}, 200, 'within what the issuer may give');
    is(signed(%wide, path => '/other/k')->{status}, 403, 'but not outside');
    my %long = S3Test::minted('env:S3_ISSUER_SECRET', '--issuer', 'ci', '--expires', '2h');
    is(signed(%long, path => '/media/k')->{status}, 400, 'nor for longer');
    my %revoked = S3Test::minted('env:S3_ISSUER_SECRET', '--issuer', 'ci', '--id', 'ABCDEFGHIJKLMNOP');
    is(signed(%revoked, path => '/media/k')->{status}, 403, 'nor once it is revoked');
    like(slurp("$dir/log/s3.log"), qr{ ci $read{key} GetObject media/2025/k 403 AccessDenied$}m, 'the log says whose');
});

running('virtual-hosts.conf', sub {
    for ([host => 'photos.s3.mydomain.com', path => '/k'], [host => 's3.mydomain.com', path => '/photos/k'],
        [host => 'media.mydomain.com', path => '/k']) {
        my %asked = @$_;
        is(signed(%asked, unsigned => ['x-asked-host', $asked{host}])->{status}, 200, "virtual-hosts.conf: $asked{host}$asked{path}");
    }
    is(signed(path => '/b/k')->{status}, 400, 'and no other host');
}, sub { s/ ssl;/; s3_host \$http_x_asked_host;/; s/^ *ssl_.*\n//mg });

running('behind-a-balancer.conf', sub {
    is(signed(path => '/b/k', host => 's3.mydomain.com')->{status}, 200,
        'behind-a-balancer.conf: signed for the public name');
    is(signed(path => '/b/k')->{status}, 403, 'and for no other');
});

# The answer to a request that nobody has signed: its status, and what the origin was asked for.
sub unsigned {
    my ($path, %o) = @_;
    my $answer = $http->request($o{method} // 'GET', "http://127.0.0.1:$port$path", { headers => $o{headers} // {} });
    my ($line) = ($answer->{content} // '') =~ /^verified yes\n.*^line (\S+ \S+) /ms;
    return join ' ', $answer->{status}, $line // ();
}

running('website.conf', sub {
    for (['/', 'index.html'], ['/docs/?v=1', 'docs/index.html'], ['/a%20b.css', 'a%20b.css'], ['/downloads/x', 'files/x']) {
        is(unsigned($_->[0]), "200 GET /website/$_->[1]", "website.conf: $_->[0]");
    }
    is(unsigned('/', method => 'HEAD'), '200', 'website.conf: HEAD');
    like(unsigned('/x', method => 'PUT'), qr/^40[34]/, 'website.conf: nobody writes');
    like(unsigned('/none', headers => { 'X-Mock' => 'A=404' }), qr/^404/, 'website.conf: what is not there');
    is(signed(path => '/website/k')->{status}, 403, 'website.conf: nobody has a key');
});

write_file("$dir/users", "user:{PLAIN}pass\n");
running('private-files.conf', sub {
    is(unsigned('/reports/k'), '401', 'private-files.conf: no password');
    my %password = (Authorization => 'Basic dXNlcjpwYXNz', Cookie => 'a=b');
    is(unsigned('/reports/k', headers => \%password), '200 GET /reports/k', 'private-files.conf: a password');
    is(unsigned('/reports/k', headers => \%password, method => 'DELETE'), '403', 'which is for reading');
    is(unsigned('/shared/k'), '403', 'private-files.conf: no link');
    my $expires = time + 60;
    my ($command) = slurp('nginx/examples/private-files.conf') =~ /^ *#   (printf .*)$/m;
    $command =~ s{\$SECRET}{write a secret of your own here};
    chomp(my $hash = `TIME=$expires FILE=k; $command`);
    is(unsigned("/shared/k?md5=$hash&expires=$expires"), '200 GET /shared/k', 'private-files.conf: a link');
    is(unsigned("/shared/x?md5=$hash&expires=$expires"), '403', 'which is for one file');
    is(unsigned('/inbox/k', method => 'PUT'), '403', 'private-files.conf: no certificate');
}, sub { s/ ssl;/;/; s/^ *ssl_.*\n//mg });

running('pages.conf', sub {
    my $preflight = sub {
        my ($origin, $method) = @_;
        my $answer = $http->request('OPTIONS', "http://127.0.0.1:$port/b/k",
            { headers => { Origin => $origin, 'Access-Control-Request-Method' => $method } });
        return "$answer->{status} " . ($answer->{headers}{'access-control-allow-origin'} // '');
    };
    is($preflight->(@$_), "204 $$_[0]", "pages.conf: $$_[0] may $$_[1]")
        for ['https://app.example.com', 'PUT'], ['http://localhost:3000', 'GET'];
    is($preflight->(@$_), '403 ', "pages.conf: $$_[0] may not $$_[1]")
        for ['https://app.example.com', 'DELETE'], ['https://other.example.com', 'PUT'];
});

kill TERM => $mock;
waitpid $mock, 0;

# Runs nginx with an example, which `change` may change in $_.
sub running {
    my ($example, $test, $change) = @_;
    return if $lacking{$example};
    local $_ = adapted(slurp("nginx/examples/$example"));
    $change->() if $change;
    write_file("$dir/nginx.conf", $_);
    my $server = fork // die "fork: $!";
    if (!$server) {
        { exec $nginx, '-e', "$dir/error.log", '-p', $dir, '-c', "$dir/nginx.conf",
            '-g', "daemon off; pid $dir/nginx.pid; error_log $dir/error.log;" }
        POSIX::_exit(127);
    }
    for (1 .. 2000) { last if -s "$dir/nginx.pid"; sleep 0.01 }
    $test->();
    kill QUIT => $server;
    waitpid $server, 0;
}

# The answer to a request that is signed in the header, by the client of most examples.
sub signed {
    my %request = (
        method => 'GET', host => "127.0.0.1:$port", key => $env{CLIENT_ACCESS_KEY},
        secret => $env{CLIENT_SECRET_KEY}, @_,
    );
    my %headers = map { split /: /, $_, 2 } split /\n/, S3Sign::v4_headers(%request);
    delete $headers{host};    # HTTP::Tiny adds its own
    my $query = $request{query} ? "?$request{query}" : '';
    return $http->request($request{method}, "http://127.0.0.1:$port$request{path}$query",
        { headers => \%headers });
}

# ---------------------------------------------------------------------- lists

my ($on_image) = $doc{'docker/README.md'} =~ /^## Variables$(.*?)^## /ms;
my %of_image = map { $_ => 1 } grep { !/^(?:SERVER|S3_RESIGN_|NAME_)/ } $on_image =~ /`((?:[A-Z0-9]+_)+[A-Z0-9]+|PORT)\b/g;
same('variables of the image', [keys %of_image], [grep { !/^SERVER/ } slurp('docker/.env.example') =~ /^#?(\w+)=/mg]);
my $reference = $doc{'nginx/README.md'};
same('directives', [$reference =~ /^### (s3_\w+)$/mg], [slurp('src/commands.rs') =~ /c"(s3_\w+)"/g]);
same('variables', [$reference =~ /^\| `\$(s3_\w+)` /mg], [slurp('src/variables.rs') =~ /c"(s3_\w+)"/g]);
for my $directive ($reference =~ /^### (s3_\w+)$/mg) {
    my ($text) = $reference =~ /^### $directive\n(.*?)^##/ms;
    like($text, qr/\*\*Syntax:\*\* `$directive[ ;].*\*\*Default:\*\* \S.*\*\*Context:\*\* `/s,
        "$directive: syntax, default and context");
}

# Bar the one that is for our own failures.
my %codes = map { $_ => 1 } slurp('src/sigv4/error/table.rs') =~ /\(\s*"([A-Z]\w+|400)",\s*[1-5]\d\d,/g;
my %others = map { $_ => 1 } slurp('src/sigv4/error/server.rs') =~ /=> \(?\s*\(?"([A-Z]\w+)",\s*(?:[1-5]\d\d|status),/g;
my ($table) = slurp('src/sigv4/error.rs') =~ /const CODES[^=]*=(.*?);/s;
is_deeply([sort $table =~ /"(\w+)"/g], [sort keys %{ { %codes, %others } }], 'the table of codes');
delete $codes{InternalError};
my ($rules) = $reference =~ /^## What is accepted\n(.*?)^## What goes out/ms;
my %named = map { $_ => 1 } $rules =~ /\d{3} `([A-Z]\w+|400)`/g;
is_deeply([sort keys %named], [sort keys %codes], 'nginx/README.md tells all codes of refusals');
like($reference, qr/\b$1 headers/, 'the most headers')
    if slurp('src/sigv4/request.rs') =~ /MAX_HEADERS: usize = (\d+)/ or fail('MAX_HEADERS');
like($reference, qr/\b$1 parameters/, 'the most parameters')
    if slurp('src/sigv4/text/query.rs') =~ /MAX_PARAMETERS: usize = (\d+)/ or fail('MAX_PARAMETERS');

# What each package uses of the others, and where the rest is.
my ($packages) = $doc{'src/README.md'} =~ /^## Packages\n(.*?)^## /ms;
my %uses = $packages =~ /^\| `(\w+)` \|.*\| *([^|]*?) *\|$/mg;
for my $manifest (glob 'src/*/Cargo.toml') {
    my ($name) = $manifest =~ m{^src/(\w+)/};
    my ($dependencies) = slurp($manifest) =~ /^\[dependencies\]\n(.*?)(?:^\[|\z)/ms;
    my @used = map {"`$_`"} sort(($dependencies // '') =~ m{^(\w+) = \{.*path = "\.\./\w+"}mg);
    is($uses{$name}, join(', ', @used), "src/README.md: what $name uses");
}
ok($packages =~ m{`$_(?:\.rs|/)`}, "src/README.md: what $_ is") for map {m{(\w+)\.rs$}} glob 'src/*.rs';
my ($phases) = $doc{'src/README.md'} =~ /^## One request\n(.*?)^## /ms;
ok($phases =~ /`$_`/, "src/README.md: when $_ is called") for map {m{(\w+)\.rs$}} glob 'src/hooks/*.rs';
my ($core) = slurp('src/sigv4/lib.rs') =~ /^pub use crate::\{(.*?)^\};/ms;
ok($core =~ /\b$_\b/, "src/README.md: $_ is what the core has") for map { /`(\w+)`/g } $phases =~ /^\|.*\|([^|]+)\|$/mg;

# ---------------------------------------------------------------------- links

my %anchors = map { $_ => anchors($_) } @docs;
for my $doc (@docs) {
    for (links($doc)) {
        my ($link, $file, $anchor) = @$_;
        ok(-e $file, "$doc links to $link");
        ok($anchors{$file}{$anchor}, "$doc links to $link: the heading") if defined $anchor;
    }
}

# [what the document says, the file from here, the heading in it]
sub links {
    my $doc = shift;
    my ($folder) = $doc =~ m{^(.*/)};
    return map {
        my ($path, $anchor) = /^([^#]*)(?:#(.*))?$/;
        my $file = $path eq '' ? $doc : ($folder // '') . $path;
        1 while $file =~ s{(?!\.\./)[^/]+/\.\./}{};
        [$_, $file, $anchor];
    } $doc{$doc} =~ /\]\(([^):]+)\)/g, $doc{$doc} =~ /(?:src|srcset)="([^"]+)"/g;
}

# What GitHub makes of its headings.
sub anchors {
    my $doc = shift;
    my @headings = map { lc s/[^\w -]//gr =~ tr/ /-/r } $doc{$doc} =~ /^#+ (.*)/mg;
    my %anchors = map { $_ => 1 } @headings;
    is(scalar keys %anchors, scalar @headings, "no two headings of $doc are the same");
    return \%anchors;
}

sub same {
    my ($what, $documented, $existing) = @_;
    my %existing = map { $_ => 1 } @$existing;
    cmp_ok(scalar keys %existing, '>', 5, "$what are found in the source");
    is_deeply([sort @$documented], [sort keys %existing], "README.md documents all $what");
}

# ---------------------------------------------------------------------- files

sub fenced {
    my ($language, $doc) = @_;
    return $doc{$doc} =~ /^```$language\n(.*?)^```$/msg;
}

done_testing();
