# The image's entrypoint: what it makes of the environment, what it refuses, and how it minds signals and
# users.
#
# A long file: every variable, and every way to get it wrong.

use strict;
use warnings;

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use File::Basename qw(basename);
use File::Copy qw(copy);
use File::Temp qw(tempdir);
use HTTP::Tiny;
use IO::Socket::INET;
use MockOrigin;
use POSIX ();
use S3Sign;
use S3Test;
use Test::More;
use Time::HiRes qw(sleep);

my $port = $ENV{TEST_NGINX_PORT};
my ($at_a, $at_b) = @ENV{qw(TEST_NGINX_A TEST_NGINX_B)};
my ($module) = (split ' ', $ENV{TEST_NGINX_LOAD_MODULES})[-1];
my $program = S3Test::entrypoint();

# Where another user can read them, too.
my $dir = tempdir(CLEANUP => 1);
chmod 0755, $dir;
my @files = ($program, "$FindBin::Bin/../nginx/default.conf.template", $module);
copy($_, $dir) or die "$_: $!" for @files;
chmod 0755, $program = "$dir/" . basename($program);

my %a = (name => 'A', key => 'AKIDA', secret => 'secret/of+A', region => 'us-east-1', listen => [$at_a]);
my %b = (name => 'B', key => 'AKIDB', secret => 'secret/of+B', region => 'eu-central-1', listen => [$at_b]);
my %c = (name => 'C', key => 'AKIDC', secret => 'secret/of+C', region => 'us-east-1', listen => [$ENV{TEST_NGINX_C}]);
my %client = (key => 'AKIDCLIENT', secret => 'secret/of+client');
my $mock = MockOrigin::start($ENV{TEST_NGINX_LOG}, \%a, \%b, \%c);
END {
    my $status = $?;
    if ($mock) { kill TERM => $mock; waitpid $mock, 0 }
    $? = $status;
}

my %image = (
    PATH => "$ENV{PATH}:/usr/sbin:/sbin", NGINX => $ENV{TEST_NGINX_BINARY}, PORT => $port,
    S3_RESIGN_RUN => "$dir/run", S3_RESIGN_MODULE => "$dir/" . $module =~ s{.*/}{}r,
    S3_RESIGN_TEMPLATE => "$dir/default.conf.template",
);
my %keys = (CLIENT_ACCESS_KEY => $client{key}, CLIENT_SECRET_KEY => $client{secret});
my %one = (
    %keys,
    ORIGIN_ACCESS_KEY => $a{key}, ORIGIN_SECRET_KEY => $a{secret}, ORIGIN_DOMAIN => $at_a,
    ORIGIN_SCHEME => 'http', AWS_REGION => $a{region},
);
my %two = (
    %keys,
    SERVERA_ACCESS_KEY => $a{key}, SERVERA_SECRET_KEY => $a{secret}, SERVERA_ENDPOINT => $at_a,
    SERVERA_SCHEME => 'http', SERVERA_REGION => $a{region}, SERVERA_BACKUP => 'yes',
    SERVERB_ACCESS_KEY => $b{key}, SERVERB_SECRET_KEY => $b{secret}, SERVERB_ENDPOINT => $at_b,
    SERVERB_SCHEME => 'http', SERVERB_REGION => $b{region},
);

# ---------------------------------------------------------------------- it works

running('one origin', {%one}, sub {
    is(origin_of(signed()), 'A yes', 'a request is signed for it');
    is(signed(secret => 'another')->{status}, 403, 'a wrong signature is refused');
    is(http('/bucket/key')->{status}, 403, 'and an unsigned request');
    is(http('/healthz')->{content}, qq({"status":"ok"}\n), '/healthz');
    like(http('/s3_status?format=json')->{content}, qr/^\{/, '/s3_status');
    is(http('/s3_status', local_address => '127.0.0.2')->{status}, 403, 'for this machine only');
    is((entrypoint({%one}, 'healthz'))[0], 0, 'healthz, the command');
    like(slurp('stdout'), qr{ AKIDCLIENT .* "GetObject bucket/key" 200 }, 'the log of requests is on stdout');
    like(slurp('stderr'), qr/\[notice\]/, 'that of errors on stderr');
});
is((entrypoint({%one}, 'healthz'))[0], 1, 'healthz fails where nothing runs');

running('two origins', { %two, S3_STATUS_ALLOW => '127.0.0.2' }, sub {
    is(http('/s3_status', local_address => '127.0.0.2')->{status}, 200, '/s3_status for others, too');
    is(origin_of(signed()), 'B yes', 'the one that is no backup');
    is(origin_of(signed(headers => ['x-mock' => 'B=503'])), 'A yes', 'the backup where it fails');
});

my ($exit, $said) = entrypoint({%one}, '-T');
is($exit, 0, 'nginx options: -T');
like($said, qr/^\s+s3_origin \Q$at_a\E access_key=env:ORIGIN_ACCESS_KEY /m, 'shows the configuration');
($exit, $said) = entrypoint({}, 'echo', 'a b');
is($said, "a b\n", 'a command is run instead');

# ---------------------------------------------------------------- the two before it

# The variables of their .env files, and of the containers in their compose files.
my %s3proxy = (
    %keys, SERVERA_ACCESS_KEY => $a{key}, SERVERA_SECRET_KEY => $a{secret}, SERVERA_ENDPOINT => $at_a,
    SERVERB_ACCESS_KEY => $c{key}, SERVERB_SECRET_KEY => $c{secret}, SERVERB_ENDPOINT => $c{listen}[0],
);
my ($host, $port_a, $port_c) = map { (split /:/)[-1] } 'x:127.0.0.1', $at_a, $c{listen}[0];
my %s3proxy_lua = (
    %keys, SERVERA_ACCESS_KEY => $a{key}, SERVERA_SECRET_KEY => $a{secret}, SERVERA_HOST => $host,
    SERVERA_PORT => $port_a, SERVERA_DOMAIN => $host, SERVERA_SCHEME => 'http',
    SERVERB_ACCESS_KEY => $c{key}, SERVERB_SECRET_KEY => $c{secret}, SERVERB_HOST => $host,
    SERVERB_PORT => $port_c, SERVERB_DOMAIN => $host, SERVERB_SCHEME => 'http',
);
my %containers = (
    's3proxy' => {
        %keys, ORIGIN_ACCESS_KEY => $a{key}, ORIGIN_SECRET_KEY => $a{secret}, ORIGIN_DOMAIN => $at_a,
        AWS_REGION => 'us-east-1', PORT => $port,
    },
    's3proxy_lua' => {
        %keys, ORIGIN_ACCESS_KEY => $a{key}, ORIGIN_SECRET_KEY => $a{secret}, ORIGIN_HOST => $host,
        ORIGIN_PORT => $port_a, ORIGIN_DOMAIN => $host, ORIGIN_SCHEME => 'https', PORT => $port,
    },
);
like(conf($_), qr{^ +proxy_pass https://s3;$}m, 'HTTPS as they had it') for \%s3proxy, values %containers;
my %http = (SERVERA_SCHEME => 'http', SERVERB_SCHEME => 'http');
for my $env ({ %s3proxy, %http, S3_ERRORS => 's3proxy' }, { %s3proxy_lua, S3_ERRORS => 's3proxy' }) {
    running('.env of ' . ($env->{SERVERA_HOST} ? 's3proxy_lua' : 's3proxy'), $env, sub {
        # Their sign_s3 signs for no region.
        is_deeply([sort map { origin_of(signed(region => '')) } 1, 2], ['A yes', 'C yes'], 'both origins, in turn');
        is(signed(key => 'AKIDOTHER')->{status}, 400, 'errors as s3proxy has them');
    });
}

# ---------------------------------------------------------------------- files

write_file('secret', "$client{secret}\r\nanother line\n");
write_file('origin-secret', $a{secret});
write_file('domain', "$at_a\n");
my %files = (
    %one, CLIENT_SECRET_KEY_FILE => "$dir/secret", ORIGIN_SECRET_KEY_FILE => "$dir/origin-secret",
    ORIGIN_DOMAIN_FILE => "$dir/domain",
);
delete @files{qw(CLIENT_SECRET_KEY ORIGIN_SECRET_KEY ORIGIN_DOMAIN)};
# compose.yaml sets variables that .env lacks to nothing
$files{$_} = '' for qw(CLIENT_SECRET_KEY SERVERA_ACCESS_KEY);
running('values in files', \%files, sub {
    my ($pid) = @_;
    is(origin_of(signed()), 'A yes', 'a request is signed');
    write_file('secret', "rotated\n");
    kill HUP => $pid;
    ok(eventually(sub { signed(secret => 'rotated')->{status} == 200 }), 'HUP has them read again');
    ok(eventually(sub { signed()->{status} == 403 }), 'the old secret is refused');

    write_file('secret', "\n");
    kill HUP => $pid;
    ok(eventually(sub { slurp('stderr') =~ /nginx goes on with the configuration that it has$/m }), 'an empty one');
    like(slurp('stderr'), qr/^s3-resign: CLIENT_SECRET_KEY_FILE names a file with an empty first line/m, 'is refused');
    is(signed(secret => 'rotated')->{status}, 200, 'and nginx goes on');
});

# ---------------------------------------------------------------------- refusals

write_file('secret', "$client{secret}\n");
write_file('empty', '');
write_file('example', "your_secret_key_here\n");
mkdir "$dir/folder";
my $known = 'ACCESS_KEY SECRET_KEY SESSION_TOKEN DOMAIN HOST PORT SCHEME ADDRESSING FRAMING DIALECT';
my $not_a_host = 'is not a host: write NAME or NAME:PORT, as s3.us-east-1.amazonaws.com, without http://';
my $placeholder = 'is still a placeholder: set it to the real value';
my @refused = (
    # what is missing
    (map {
        [{ %one, $_ => undef }, "$_ is missing: set it, or ${_}_FILE to the path of a file that has it"],
        [{ %one, $_ => '' }, "$_ is missing: set it, or ${_}_FILE to the path of a file that has it"],
    } qw(CLIENT_ACCESS_KEY CLIENT_SECRET_KEY ORIGIN_ACCESS_KEY ORIGIN_SECRET_KEY ORIGIN_DOMAIN)),
    (map {
        [{ %two, $_ => '' }, "$_ is missing: set it, or ${_}_FILE to the path of a file that has it"]
    } qw(SERVERB_ACCESS_KEY SERVERA_SECRET_KEY SERVERB_ENDPOINT)),
    [{ %keys }, 'ORIGIN_ACCESS_KEY is missing: set it, or ORIGIN_ACCESS_KEY_FILE to the path of a file that has it'],

    # what stands in the examples of the two before it, and in this one's
    (map { [{ %one, @$_ }, "$_->[0] $placeholder"] }
        [CLIENT_ACCESS_KEY => 'your_client_access_key_here'], [CLIENT_SECRET_KEY => 'your_client_secret'],
        [CLIENT_ACCESS_KEY => 'client_access_key_here'], [CLIENT_ACCESS_KEY => 'your_shared_client_access_key'],
        [ORIGIN_ACCESS_KEY => 'backend_access_key'], [ORIGIN_SECRET_KEY => 'backend_secret_key'],
        [ORIGIN_ACCESS_KEY => 'backend_key'], [ORIGIN_DOMAIN => 's3.example.com'],
        [ORIGIN_DOMAIN => 'S3.Example.Com:9000'], [ORIGIN_HOST => 'your-origin'], [CLIENT_SECRET_KEY => 'changeme'],
        [CLIENT_SECRET_KEY => '<secret>'], [CLIENT_ACCESS_KEY => 'AKIAIOSFODNN7EXAMPLE']),
    (map { [{ %two, @$_ }, "$_->[0] $placeholder"] }
        [SERVERA_ACCESS_KEY => 'servera_access_key'], [SERVERB_SECRET_KEY => 'serverb_secret_key'],
        [SERVERA_ACCESS_KEY => 's3_server_a_key'], [SERVERB_SECRET_KEY => 's3_server_b_secret'],
        [SERVERA_SECRET_KEY => 'backend_a_secret_key'], [SERVERA_ENDPOINT => 's3-region1.example.com']),
    [{ %files, ORIGIN_SECRET_KEY_FILE => "$dir/example" }, "ORIGIN_SECRET_KEY_FILE $placeholder"],

    # both ways at once
    [{ %two, ORIGIN_DOMAIN => 'x' }, 'ORIGIN_DOMAIN and SERVERA_ACCESS_KEY are both set: ORIGIN_ is for one '
        . 'origin, SERVERA_ and so on for several: unset one kind'],
    [{ %one, CLIENT_SECRET_KEY_FILE => "$dir/secret" },
        'CLIENT_SECRET_KEY and CLIENT_SECRET_KEY_FILE are both set: unset one of them'],
    [{ %one, ORIGIN_DOMAIN_FILE => "$dir/domain" }, 'ORIGIN_DOMAIN and ORIGIN_DOMAIN_FILE are both set: unset one of them'],
    [{ %two, SERVERB_HOST => 'other' }, 'SERVERB_ENDPOINT and SERVERB_HOST differ, and mean the same: unset one of them'],
    [{ %one, ORIGIN_PORT => 9 }, 'ORIGIN_PORT and the port in ORIGIN_DOMAIN differ: remove one of them'],
    [{ %two, SERVERB_PORT => 9 }, 'SERVERB_PORT and the port in SERVERB_ENDPOINT differ: remove one of them'],
    [{ %two, SERVERB_ENDPOINT => $at_a }, 'SERVERB_ENDPOINT is where another origin is already: name each once'],

    # files
    (map { [{ %files, ORIGIN_SECRET_KEY_FILE => $_->[0] }, "ORIGIN_SECRET_KEY_FILE $_->[1]"] }
        ["$dir/empty", 'names a file with an empty first line: put the value there'],
        ["$dir/none", 'names a file that is not there: mount it'],
        ["$dir/folder", "names a file that user $> cannot read: make it readable"],
        ['secret', 'has a path without a slash in front: write it from the root'],
        ["$dir/a b", 'has a path with other characters than letters, digits and /._@%+=:,-']),

    # names
    [{ %two, SERVERA_ENDPONT => 'x' }, "SERVERA_ENDPONT is unknown: behind SERVERA_ comes one of $known ENDPOINT REGION BACKUP"],
    [{ %two, SERVERA_KEY_FILE => 'x' }, "SERVERA_KEY_FILE is unknown: behind SERVERA_ comes one of $known ENDPOINT REGION BACKUP"],
    [{ %one, ORIGIN_ENDPOINT => 'x' }, "ORIGIN_ENDPOINT is unknown: behind ORIGIN_ comes one of $known"],
    (map { [{ %two, $_ => 'x' }, "$_ belongs to no origin: their names begin with SERVERA_, SERVERB_ and so on to SERVERZ_"] }
        qw(SERVER1_ENDPOINT SERVER_A_ACCESS_KEY SERVERa_SECRET_KEY_FILE SERVERAA_ACCESS_KEY)),

    # values
    (map { [{ %one, ORIGIN_DOMAIN => $_ }, "ORIGIN_DOMAIN $not_a_host"] } "http://$at_a", '-s3', 's3:', 's3.', 's3:0', 's3:x',
        ':443', '::1', '[::1', '[]', '[x]:1', 's3:1:2', 's3:65536'),
    [{ %two, SERVERB_DOMAIN => 'a/b' }, "SERVERB_DOMAIN $not_a_host"],
    [{ %one, S3_HOST => 'https://s3' }, "S3_HOST $not_a_host"],
    (map { [{ %one, PORT => $_ }, 'PORT is not a port: write a number from 1 to 65535'] }
        0, 65536, 100000, '8080x', '-1', '080', '1e3', 'tcp://10.0.0.1:80'),
    [{ %one, ORIGIN_DOMAIN => $host, ORIGIN_PORT => 65536 }, 'ORIGIN_PORT is not a port: write a number from 1 to 65535'],
    [{ %one, ORIGIN_SCHEME => 'HTTPS' }, 'ORIGIN_SCHEME is none of these: http https'],
    [{ %two, SERVERB_SCHEME => 'https' }, 'SERVERB_SCHEME is https, SERVERA_SCHEME is http: nginx speaks one of them '
        . 'to all origins: choose one, or start an image for each'],
    [{ %two, SERVERB_BACKUP => 'on' }, 'SERVERB_BACKUP is on, as with all origins: leave one that is none'],
    [{ %two, SERVERB_BACKUP => 'maybe' }, 'SERVERB_BACKUP is neither on nor off: write one of the two'],
    [{ %one, AWS_REGION => 'us/east-1' },
        'AWS_REGION is not a region: write letters, digits, dashes, dots and underscores, as us-east-1'],
    [{ %one, S3_REGION => 'x' x 65 }, 'S3_REGION is not a region: write at most 64 characters'],
    [{ %one, S3_ERRORS => 'json' }, 'S3_ERRORS is none of these: s3 s3proxy'],
    [{ %one, S3_MAX_SKEW => 'long' }, 'S3_MAX_SKEW is not a time: write one as 15m or 30s'],
    [{ %one, S3_WORKERS => 'many' }, 'S3_WORKERS is not a number of workers: write one, or auto'],
    [{ %one, S3_HEALTH_CHECK => 'perhaps' }, 'S3_HEALTH_CHECK is not on, off or parameters of s3_health_check'],
    [{ %one, S3_STATUS_ALLOW => 'prometheus' }, 'S3_STATUS_ALLOW is not a list of addresses: write them as 10.0.0.0/8, with spaces between'],
    [{ %one, S3_TLS_CA => "$dir/none", ORIGIN_SCHEME => 'https' },
        "S3_TLS_CA is no file that user $> can read: set it to a bundle of CA certificates"],
    [{ %one, S3_RESIGN_RUN => '/proc/none' }, "S3_RESIGN_RUN, /proc/none, is no folder that user $> can write to: mount a tmpfs there"],
    [{ %one, S3_RESIGN_MODULE => "$dir/none" }, "S3_RESIGN_MODULE: there is no module $dir/none: set it to the path of one"],
    (map { [{ %one, CLIENT_ACCESS_KEY => $_ },
        'CLIENT_ACCESS_KEY has a character that no access key has: use ASCII without spaces and commas'] }
        'a b', 'a,b', "a\n", "a\x{c3}\x{bc}", "\x7f"),
    (map { [{ %one, ORIGIN_SECRET_KEY => $_ },
        'ORIGIN_SECRET_KEY has a line break or another control character: remove it'] } "a\n", "a\tb", "\r", "\x7f"),
    [{ %one, ORIGIN_SESSION_TOKEN => "a\nb" }, 'ORIGIN_SESSION_TOKEN has a line break or another control character: remove it'],
    (map { [{ %one, ORIGIN_SESSION_TOKEN => $_ },
        'ORIGIN_SESSION_TOKEN has a character that no session token has: use ASCII without spaces'] } 'a b', "a\x{c3}\x{bc}"),
);
for (@refused) {
    my ($env, $line) = @$_;
    is_deeply([entrypoint($env, '-t')], [1, "s3-resign: $line\n"], $line);
}
($exit, $said) = entrypoint({ %one, S3_MAX_SKEW => 'mm' }, '-t');
is($exit, 1, 'what only nginx finds is refused too');
like($said, qr/\[emerg\].*"s3_max_skew mm" is not a time.*\ns3-resign: nginx rejects the configuration, see above$/s,
    'with what nginx says');

# ---------------------------------------------------------------------- what a value cannot do

# Each of these behind a good value: it is refused, or nginx.conf has the same directives.
my @hostile = (
    '"', "'", '$', ';', '{', '}', '\\', ' ', '#', '`', '*', '&', '(', "\n", "\t", "\r", "\x01", "\x{c3}\x{a4}",
    '; } return 200; {', "\n}", '"; return 200 "', '$(touch x)', '${run}', "\nPORT=1",
);
my %secure = (ORIGIN_SCHEME => 'https', S3_TLS_CA => '/etc/ssl/certs/ca-certificates.crt');
my %good = (
    %one, ORIGIN_DOMAIN => 'localhost', ORIGIN_HOST => 'localhost', ORIGIN_PORT => '443',
    ORIGIN_SESSION_TOKEN => 'token', ORIGIN_ADDRESSING => 'path', ORIGIN_FRAMING => 'keep', ORIGIN_DIALECT => 'ceph', PORT => $port, %secure,
    S3_ACCESS_LOG => 'on', S3_ANONYMOUS => 'off', S3_DEBUG_ERRORS => 'off', S3_ERRORS => 's3',
    S3_HEALTH_CHECK => 'uri=/x', S3_DOMAIN => 's3.mydomain.com', S3_HOST => 's3.mydomain.com', S3_PREFIX => '/s3', S3_LOG_LEVEL => 'warn', S3_MAX_SKEW => '15m',
    S3_REGION => 'eu', S3_SHUTDOWN_TIMEOUT => '1h', S3_SIGNATURE_V2 => 'off', S3_STATUS_ALLOW => '10.0.0.0/8',
    S3_TLS_VERIFY => 'on', S3_UPLOAD_BUFFERING => 'on', S3_VERIFY_PAYLOAD => 'off', S3_WORKERS => '2',
    S3_RESIGN_RUN => "$dir/run", S3_RESIGN_MODULE => $image{S3_RESIGN_MODULE},
);
my %good_two = (
    %two, SERVERA_ENDPOINT => 'localhost', SERVERA_HOST => 'localhost', SERVERA_DOMAIN => 'localhost',
    SERVERA_PORT => 80, SERVERA_ADDRESSING => 'path', SERVERA_FRAMING => 'keep', SERVERA_DIALECT => 'ceph', SERVERA_SESSION_TOKEN => 'token',
);
for ([\%good, sort keys %good], [\%good_two, grep {/^SERVERA_/} sort keys %good_two]) {
    my ($env, @names) = @$_;
    my $structure = structure(conf($env));
    for my $name (@names) {
        # each of them is tried with some variables, and all at once with each
        push @hostile, shift @hostile;
        for my $bytes (@hostile[0, 1], join '', @hostile) {
            my ($exit, $said) = entrypoint({ %$env, $name => $env->{$name} . $bytes }, '-t');
            my $is_well = $exit == 0 ? structure(slurp('run/nginx.conf')) eq $structure
                : $said =~ /\As3-resign: $name[^\n]*\n\z/;
            ok($is_well, "$name: " . $bytes =~ s/([^ -~])/sprintf '\\x%02x', ord $1/egr) or diag $said;
        }
    }
}

# Keys have any bytes that the module can carry.
my %odd = (key => q{a"$;{}\'#`k}, secret => qq{ a"\$;{}\\'#`k\x{c3}\x{a4} });
my %odd_one = (%one, CLIENT_ACCESS_KEY => $odd{key}, CLIENT_SECRET_KEY => $odd{secret});
running('odd keys', \%odd_one, sub {
    is(origin_of(signed(%odd)), 'A yes', 'are those of the client');
});
write_file('secret', $odd{secret});
delete $odd_one{CLIENT_SECRET_KEY};
running('odd keys in a file', { %odd_one, CLIENT_SECRET_KEY_FILE => "$dir/secret" }, sub {
    is(origin_of(signed(%odd)), 'A yes', 'are those of the client');
});

# ---------------------------------------------------------------------- settings

my %says = (
    S3_ANONYMOUS => [yes => 's3_anonymous on;'], S3_SIGNATURE_V2 => [1 => 's3_signature_v2 on;'],
    S3_ERRORS => [s3proxy => 's3_errors s3proxy;'], S3_REGION => ['eu_1.a' => 's3_region eu_1.a;'],
    S3_HOST => ['s3.mydomain.com:8443' => 's3_host s3.mydomain.com:8443;'], S3_MAX_SKEW => ['1h' => 's3_max_skew 1h;'],
    S3_DOMAIN => ['s3.mydomain.com,a.b=c' => 's3_domain s3.mydomain.com a.b=c;'], S3_PREFIX => ['/s3' => 's3_prefix /s3;'],
    S3_VERIFY_PAYLOAD => [on => 's3_verify_payload on;'], S3_DEBUG_ERRORS => [true => 's3_debug_errors on;'],
    S3_HEALTH_CHECK => ['bucket=media interval=2s' => 's3_health_check bucket=media interval=2s;'],
    S3_UPLOAD_BUFFERING => [on => 'proxy_request_buffering on;'], S3_WORKERS => [3 => 'worker_processes 3;'],
    S3_STATUS_ALLOW => ['10.0.0.0/8, fd00::/8' => 'allow 10.0.0.0/8; allow fd00::/8; deny all;'],
    S3_SHUTDOWN_TIMEOUT => ['2h' => 'worker_shutdown_timeout 2h;'], S3_ACCESS_LOG => [off => 'access_log off;'],
    S3_LOG_LEVEL => [info => 'error_log stderr info;'], ORIGIN_SESSION_TOKEN => [t => 'session_token=env:ORIGIN_SESSION_TOKEN'],
    ORIGIN_ADDRESSING => [virtual => 'addressing=virtual', ORIGIN_DOMAIN => 'localhost'], ORIGIN_FRAMING => [decode => 'framing=decode'],
    ORIGIN_DIALECT => [swift => 'dialect=swift'],
);
my %usual = map { $_ => 1 } split /(?<=;) /, conf({%one}) =~ s/\s+/ /gr;
for my $name (sort keys %says) {
    my ($value, $line, %more) = @{ $says{$name} };
    ok(index(conf({ %one, %more, $name => $value }) =~ s/\s+/ /gr, $line) >= 0, "$name=$value");
    ok(!$usual{$line}, 'which is not the default');
}
like(conf({ %one, S3_HEALTH_CHECK => 'off' }), qr/return 200 '\{"status":"ok"\}'/, 'without checks /healthz is well');

# Where to connect, and the name of the origin.
my $named = sub { join ' ', conf({ %keys, ORIGIN_ACCESS_KEY => 'a', ORIGIN_SECRET_KEY => 'b', @_ })
    =~ /^ +server (\S+?)(?: resolve)?;\n.*^ +s3_origin (\S+) .* host=(\S+?)[ ;]/ms };
is($named->(ORIGIN_DOMAIN => 'localhost'), 'localhost:443 localhost:443 localhost', 'a name');
is($named->(ORIGIN_DOMAIN => 'localhost:9000'), 'localhost:9000 localhost:9000 localhost:9000', 'a name with a port');
is($named->(ORIGIN_DOMAIN => 'localhost', ORIGIN_PORT => 9000), 'localhost:9000 localhost:9000 localhost:9000', 'a name and a port');
is($named->(ORIGIN_DOMAIN => 'localhost', ORIGIN_SCHEME => 'http'), 'localhost:80 localhost:80 localhost', 'http');
is($named->(ORIGIN_DOMAIN => 's3.mydomain.com', ORIGIN_HOST => '127.0.0.1', ORIGIN_PORT => 9000),
    '127.0.0.1:9000 127.0.0.1:9000 s3.mydomain.com', 'an address for a name');
is($named->(ORIGIN_DOMAIN => 's3.mydomain.com:1', ORIGIN_HOST => '[::1]:9000'),
    '[::1]:9000 [::1]:9000 s3.mydomain.com:1', 'an address with a port');
is($named->(ORIGIN_HOST => '127.0.0.1:9000'), '127.0.0.1:9000 127.0.0.1:9000 127.0.0.1:9000', 'an address alone');

# .env.example, filled in.
my %example = map {/^(\w+)=(.*)$/ ? ($1, $2) : ()} split /\n/, read_file("$FindBin::Bin/../docker/.env.example");
is((entrypoint(\%example, '-t'))[1], "s3-resign: CLIENT_ACCESS_KEY $placeholder\n", '.env.example is to be filled in');
my @names = grep { !/^S3_RESIGN_/ } keys %good, grep {/^SERVERA_/} keys %good_two;
my @explained = read_file("$FindBin::Bin/../docker/.env.example") =~ /^# .+\n#?(\w+)=/mg;
is_deeply([sort @explained], [sort @names],
    'it has all variables, each with a line that explains it');
my @filled_in = grep {/^(?:CLIENT|ORIGIN)_/} keys %example;
is_deeply([sort @filled_in], [grep { $_ ne 'ORIGIN_SCHEME' } sort grep {/^(?:CLIENT|ORIGIN)_/} keys %one], 'with these');
is((entrypoint({ %example, map { $_ => $one{$_} } @filled_in }, '-t'))[0], 0, 'and then nginx takes it');

# ---------------------------------------------------------------------- TLS

SKIP: {
    skip 'nginx has no TLS', 1 if S3Test::lacks('http_ssl_module');
    system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout $dir/tls.key"
        . " -out $dir/tls.crt -days 2 -subj /CN=origin.test -addext subjectAltName=DNS:origin.test 2>/dev/null") == 0
        or die 'openssl: no certificate';
    write_file('tls.conf', <<"END");
        daemon off; pid $dir/tls.pid; error_log stderr; events {}
        http {
            access_log off;
            @{[map {"${_}_temp_path $dir/tls;"} qw(client_body proxy fastcgi uwsgi scgi)]}
            server {
                listen 127.0.0.1:$ENV{TEST_NGINX_TLS_A} ssl;
                ssl_certificate $dir/tls.crt;
                ssl_certificate_key $dir/tls.key;
                location / { proxy_pass http://$at_a; proxy_set_header Host \$http_host; }
            }
        }
END
    my $tls = fork // die $!;
    if (!$tls) { exec $ENV{TEST_NGINX_BINARY}, '-e', 'stderr', '-c', "$dir/tls.conf" or POSIX::_exit(127) }
    my %tls = (
        %one, ORIGIN_SCHEME => 'https', ORIGIN_DOMAIN => 'origin.test', ORIGIN_HOST => '127.0.0.1',
        ORIGIN_PORT => $ENV{TEST_NGINX_TLS_A},
    );
    my $status = sub { is(signed()->{status}, $_[0], $_[1]) };
    running('an origin with TLS', \%tls, sub { $status->(502, 'its certificate is verified') });
    running('with a CA', { %tls, S3_TLS_CA => "$dir/tls.crt" }, sub { $status->(200, 'that vouches for it') });
    running('of another name', { %tls, S3_TLS_CA => "$dir/tls.crt", ORIGIN_DOMAIN => 'other.test' },
        sub { $status->(502, 'is refused') });
    running('or without', { %tls, S3_TLS_VERIFY => 'off' }, sub { $status->(200, 'any certificate does') });
    kill QUIT => $tls;
    waitpid $tls, 0;
}

# ---------------------------------------------------------------------- the end

for my $signal (qw(TERM INT QUIT)) {
    running("SIG$signal in mid-download", { %one, S3_HEALTH_CHECK => 'off' }, sub {
        my ($pid) = @_;
        my ($size, $asked) = (0, 0);
        my $signalled;
        my $answer = signed(headers => ['x-mock' => 'A=flood'], to => sub {
            $size += length $_[0];
            return if $signalled++;
            kill $signal => $pid;
            ok(eventually(sub { http('/healthz')->{status} == 599 }), 'no new connection is taken');
        });
        is($answer->{status}, 200, 'the download ends as it should');
        cmp_ok($size, '>=', 1 << 26, 'with all of it');
        ok(ends($pid), 'then it ends');
        is($?, 0, 'well');
    }, ended => 1);
}

# A signal at any time of the start.
for my $delay (map { $_ / 20 } 0 .. 5) {
    my $pid = launch({%one}, 'stdout', 'stderr');
    sleep $delay;
    kill TERM => $pid;
    ok(ends($pid), "a stop $delay s after the start");
    my $ended = $?;
    ok($ended == 0 || $ended >> 8 == 143 || $ended == POSIX::SIGTERM(), 'ends it') or diag "$ended\n" . slurp('stderr');
    is(http('/healthz')->{status}, 599, 'and leaves nothing behind');
}

# Other nginxes: two that are slow to mind signals, one of them with its pid written, and one that fails.
write_file('slow', <<"END");
#!/bin/sh
case \$* in *-t | -V) ;; *) touch $dir/starting; sleep 0.5 ;; esac
exec $image{NGINX} "\$@"
END
write_file('early', <<"END");
#!$^X
unless ("\@ARGV" =~ /-t\$|-V\$/) {
    for my \$name ('run/nginx.pid', 'starting') { open my \$file, '>', "$dir/\$name" or die; print \$file "\$\$\\n" }
    select undef, undef, undef, 0.5;
}
exec '$image{NGINX}', \@ARGV;
END
write_file('failing', <<"END");
#!/bin/sh
case \$* in *-t | -V) exec $image{NGINX} "\$@" ;; esac
exit 42
END
chmod 0755, map {"$dir/$_"} qw(slow early failing);
for my $case (map { my $nginx = $_; map { [$nginx, $_] } qw(TERM HUP) } qw(slow early)) {
    my ($nginx, $signal) = @$case;
    unlink "$dir/starting", "$dir/run/nginx.pid";
    my $pid = launch({ %one, NGINX => "$dir/$nginx" }, 'stdout', 'stderr');
    ok(eventually(sub { -e "$dir/starting" }), "SIG$signal for an nginx that starts, $nginx");
    kill $signal => $pid;
    if ($signal eq 'HUP') {
        ok(eventually(sub { slurp('stderr') =~ /reconfiguring/ }), 'it reloads then');
        kill TERM => $pid;
    }
    ok(ends($pid), 'it ends then');
    is($?, 0, 'well');
}
is((entrypoint({ %one, NGINX => "$dir/failing" }))[0], 42, "nginx's exit status is handed on");

# ---------------------------------------------------------------------- a container's surroundings

our @around;
SKIP: {
    skip 'not root: no other user, no mounts', 1 if $> != 0;
    system('unshare --mount true 2>/dev/null') == 0 or skip 'this machine lets nothing be mounted', 1;

    # As nobody, with all read-only but the run folder. Its stdout cannot be opened then.
    chown 65534, 65534, "$dir/run" or die $!;
    mkdir "$dir/nginx";
    system("cp -a /etc/nginx/. $dir/nginx") if -d '/etc/nginx';
    mkdir "$dir/nginx/s3.d";
    write_file('nginx/s3.d/more.conf', 's3_client AKIDMORE secret_key=secret/more;');
    write_file('tight', 'secret');
    chmod 0600, "$dir/tight";
    # The nginx that was built here may be in a home that nobody may enter.
    copy($ENV{TEST_NGINX_BINARY}, "$dir/nginx-for-nobody") or die $!;
    chmod 0755, "$dir/nginx-for-nobody";
    my @as_nobody = (qw(unshare --mount sh -c), <<'END', $dir);
        mount --bind $0/run $0/run && mount -o remount,bind,ro / &&
        { [ ! -d /etc/nginx ] || mount --bind $0/nginx /etc/nginx; } && exec setpriv --reuid=65534 --regid=65534 \
            --clear-groups --no-new-privs --bounding-set=-all "$@"
END
    {
        local @around = @as_nobody;
        running('nobody, in a read-only container', { %one, NGINX => "$dir/nginx-for-nobody", S3_UPLOAD_BUFFERING => 'on' }, sub {
            is(origin_of(signed()), 'A yes', 'a request is signed');
            is(origin_of(signed(method => 'PUT', body => 'x' x 1_000_000)), 'A yes', 'an upload is buffered');
            like(slurp('stderr'), qr{ AKIDCLIENT .* "GetObject bucket/key" 200 }, 'the log is where it can be written');
            my $status = read_file('/proc/' . (slurp('run/nginx.pid') + 0) . '/status');
            like($status, qr/^Uid:\t65534\t65534\t/m, 'nginx is nobody');
            is(signed(key => 'AKIDMORE', secret => 'secret/more')->{status}, 200, '/etc/nginx/s3.d is read') if -d '/etc/nginx';
        });
        is_deeply([entrypoint({ %keys, CLIENT_SECRET_KEY => '', CLIENT_SECRET_KEY_FILE => "$dir/tight" }, '-t')],
            [1, "s3-resign: CLIENT_SECRET_KEY_FILE names a file that user 65534 cannot read: make it readable\n"],
            'a file of root');
    }

    # Where a package has enabled a module of another build, which nginx does not load twice.
    my ($enabled) = `$ENV{TEST_NGINX_BINARY} -V 2>&1` =~ m{ --conf-path=(/\S+)/};
    if (defined $enabled && -d ($enabled .= '/modules-enabled')) {
        mkdir "$dir/enabled";
        write_file('enabled/50-mod-http-s3-resign.conf', 'load_module /none/ngx_http_s3_resign_module.so;');
        write_file('enabled/60-other.conf', 'env ENABLED_BY_ANOTHER;');
        local @around = (qw(unshare --mount sh -c), <<'END', $dir, $enabled);
            mount --bind $0/enabled "$1" && shift && exec "$@"
END
        like(conf({%one}), qr{^include $enabled/60-other\.conf;\nload_module \Q$image{S3_RESIGN_MODULE}\E;$}m,
            'the module that is named is loaded, and not the one that a package has enabled');
    }

    # An image without a shell, or any other program.
    {
        local @around = (qw(unshare --mount sh -c), <<'END', $dir);
            for i in sh dash bash busybox; do
                [ ! -e /bin/$i ] || mount --bind /dev/null "$(realpath /bin/$i)" || exit
            done
            PATH=/none; exec "$@"
END
        isnt((entrypoint({%one}, '/bin/sh', '-c', 'exit 0'))[0], 0, 'a shell cannot be run');
        running('without a shell', {%one}, sub {
            my ($pid) = @_;
            is(origin_of(signed()), 'A yes', 'a request is signed');
            is((entrypoint({%one}, 'healthz'))[0], 0, 'healthz');
            kill HUP => $pid;
            ok(eventually(sub { slurp('stderr') =~ /reconfiguring/ }), 'it reloads');
        });
    }

    # Half of a processor.
    mkdir "$dir/cgroup";
    write_file('cgroup/cpu.max', "50000 100000\n");
    {
        local @around = (qw(unshare --mount sh -c), 'mount --bind $0/cgroup /sys/fs/cgroup && exec "$@"', $dir);
        my $workers = `nproc` > 1 ? 1 : 'auto';
        like(conf({%one}), qr/^worker_processes +$workers;$/m, 'as many workers as the container has processors');
        like(conf({ %one, S3_WORKERS => 2 }), qr/^worker_processes +2;$/m, 'but as many as are asked for');
    }

    # Names, by a name server of its own.
    my $dns = join '.', 127, 24, $port >> 8, $port & 255;
    my $name_server = serve($dns, map { $_ => $host } qw(whole.test whole.test.svc.test short.svc.test hosts.test));
    write_file('resolv.conf', "nameserver $dns\nsearch none.test svc.test\n");
    write_file('hosts', "127.0.0.1 localhost hosts.test\n");
    my @with_names = (qw(unshare --mount sh -c),
        'for i in resolv.conf hosts; do mount --bind $0/$i /etc/$i; done; exec "$@"', $dir);
    local @around = @with_names;
    my $server_line = sub { conf({ %one, ORIGIN_DOMAIN => "$_[0]:$port_a" }) =~ /^ +(server 127.*|server \w.*);$/m ? $1 : '' };
    if (follows_addresses()) {
        is($server_line->('whole.test'), "server whole.test:$port_a resolve", 'a name is followed');
        is($server_line->('short'), "server short.svc.test:$port_a resolve", 'a short one is written out');
        is($server_line->('unknown.test'), "server unknown.test:$port_a resolve", 'an unknown one may be known later');
        is($server_line->($host), "server $host:$port_a", 'an address stays');
        like(slurp('run/nginx.conf'), qr/^ +resolver \Q$dns\E( ipv6=off)?;$/m, 'the name server is that of the machine');
        running('a name that is short', { %one, ORIGIN_DOMAIN => "short:$port_a" }, sub {
            ok(eventually(sub { origin_of(signed()) eq 'A yes' }), 'leads to the origin');
            like(signed()->{content}, qr/^header Host: short:$port_a$/m, 'which knows it by that');
        });
        write_file('resolv.conf', "nameserver $dns\nsearch none.test svc.test\noptions edns0 ndots:2\n");
        is($server_line->('whole.test'), "server whole.test.svc.test:$port_a resolve", 'one that has too few dots, too');
        write_file('resolv.conf', "nameserver fd00::53\n");
        local @around = (@with_names, qw(unshare --net));
        $server_line->($host);
        like(slurp('run/nginx.conf'), qr/^ +resolver \[fd00::53\] ipv6=off;$/m, 'no IPv6 where there is none');
    }
    else {
        is($server_line->('short'), "server short:$port_a", 'the address is that of the start');
        unlike(slurp('run/nginx.conf'), qr/resolver/, 'nobody asks for another');
    }
    write_file('resolv.conf', "nameserver $dns\n");
    is($server_line->('hosts.test'), "server hosts.test:$port_a", 'a name in /etc/hosts has the address that is there');
    kill TERM => $name_server;
    waitpid $name_server, 0;
}

done_testing();

# Servers with "resolve" came with 1.27.3.
sub follows_addresses {
    my ($minor, $patch) = `$ENV{TEST_NGINX_BINARY} -v 2>&1` =~ m{/1\.(\d+)\.(\d+)} or die;
    return $minor > 27 || $minor == 27 && $patch >= 3;
}

# A name server (RFC 1035) that knows these names.
sub serve {
    my ($address, %addresses) = @_;
    my $socket = IO::Socket::INET->new(Proto => 'udp', LocalAddr => "$address:53") or die "$address: $!";
    my $pid = fork // die "fork: $!";
    return $pid if $pid;
    while ($socket->recv(my $query, 512)) {
        my ($id, $question, $name, $type) = $query =~ /\A(..).{10}((.*?)\0(..)..)/s or next;
        my $address = $addresses{ join '.', unpack '(C/a)*', $name };
        my $answer = $address && $type eq "\0\1" ? pack('n3 N n a4', 0xc00c, 1, 1, 60, 4, inet_aton($address)) : '';
        $socket->send($id . pack('n5', 0x8180 + ($address ? 0 : 3), 1, $answer ? 1 : 0, 0, 0) . $question . $answer);
    }
}

# Runs the entrypoint with that environment and nothing else: its exit status and what it said.
sub entrypoint {
    my ($env, @arguments) = @_;
    my $pid = launch($env, 'said', 'said', @arguments);
    waitpid $pid, 0;
    return ($? >> 8, slurp('said'));
}

sub launch {
    my ($env, $stdout, $stderr, @arguments) = @_;
    my $pid = fork // die "fork: $!";
    return $pid if $pid;
    setpgrp;
    %ENV = (%image, %$env);
    delete @ENV{ grep { !defined $ENV{$_} } keys %ENV };
    open STDOUT, '>', "$dir/$stdout" or die $!;
    $stderr eq $stdout ? open STDERR, '>&', \*STDOUT : open STDERR, '>', "$dir/$stderr";
    { exec our @around, $program, @arguments }
    POSIX::_exit(127);
}

# Starts it, and ends it as `docker stop` does.
sub running {
    my ($name, $env, $test, %o) = @_;
    unlink "$dir/run/nginx.pid";
    my $pid = launch($env, 'stdout', 'stderr');
    for (1 .. 2000) {
        last if -s "$dir/run/nginx.pid";
        sleep 0.01;
    }
    subtest $name => sub {
        $test->($pid);
        return if $o{ended};
        kill TERM => $pid;
        ok(ends($pid), 'it ends');
        is($?, 0, 'well') or diag slurp('stderr');
    };
}

# The configuration that it makes.
sub conf {
    my ($env) = @_;
    my ($exit, $said) = entrypoint($env, '-t');
    is($exit, 0, 'nginx takes it') or diag $said;
    return slurp('run/nginx.conf');
}

# Its directives, with the number of their words.
sub structure {
    my ($conf) = @_;
    my (@found, @words);
    while ($conf =~ /\G\s*(?:#.*|("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^\s;{}]+)|([;{}]))/gc) {
        if (defined $1) { push @words, $1 }
        elsif (defined $2) { push @found, ($words[0] // '') . @words . $2; @words = () }
    }
    return join ' ', @found;
}

sub eventually {
    my ($holds) = @_;
    for (1 .. 200) {
        return 1 if $holds->();
        sleep 0.05;
    }
    return 0;
}

# Whether it does so soon; $? says how.
sub ends {
    my ($pid) = @_;
    return 1 if eventually(sub { waitpid($pid, POSIX::WNOHANG()) == $pid });
    kill KILL => -$pid;
    waitpid $pid, 0;
    return 0;
}

sub http {
    my ($path, %o) = @_;
    return HTTP::Tiny->new(timeout => 20, %o)->get("http://127.0.0.1:$port$path");
}

sub signed {
    my %request = (method => 'GET', path => '/bucket/key', host => "127.0.0.1:$port", %client, @_);
    my %options = $request{to} ? (data_callback => delete $request{to}) : ();
    $options{content} = $request{body} if defined $request{body};
    my %headers = map { split /: /, $_, 2 } split /\n/, S3Sign::v4_headers(%request);
    delete $headers{host};    # HTTP::Tiny adds its own
    return HTTP::Tiny->new(timeout => 20)
        ->request($request{method}, "http://127.0.0.1:$port$request{path}", { headers => \%headers, %options });
}

# Which origin answered, and what it found the signature to be.
sub origin_of {
    my ($answer) = @_;
    return join ' ', map { $answer->{headers}{$_} // $answer->{status} } qw(x-origin x-verified);
}

sub slurp { read_file("$dir/$_[0]") }

sub read_file {
    open my $in, '<', $_[0] or return '';
    local $/;
    return <$in> // '';
}

sub write_file {
    open my $out, '>', "$dir/$_[0].new" or die "$_[0]: $!";
    print $out $_[1];
    close $out or die $!;
    rename "$dir/$_[0].new", "$dir/$_[0]" or die $!;
}
