package S3Test;

# What the files in t/ have in common: addresses, credentials, mock origins, and
# the defaults of a block. Load it before Test::Nginx::Socket, since it says
# where nginx listens and which modules it loads.
#
# Port and server root derive from the number of the file, so that files may run
# in parallel.
#
# The words of a block (Blocks.pm). What is asked, one request or one a line, by the name of the section:
#
#   --- signed: PUT /bucket/key body=hello
#   --- presigned: GET /bucket/key?versionId=1 expires=60 skew=-2m
#   --- signed_v2: GET /bucket/key as=reader      (presigned_v2 in the query)
#   --- unsigned: GET /bucket/key
#   --- upload: PUT /bucket/key kind=unsigned body=hello      in aws-chunked framing
#   --- form: POST /bucket form_key=key file=hello            a browser's form
#   --- signed
#   4x GET /bucket/key                            four times the same
#   PUT /bucket/key body=hello sent=hallo         "hello" is signed, "hallo" sent
#       x-amz-acl: private                        a header that is signed
#       unsigned x-amz-tagging: a=b               and one that is not
#   GET /bucket/key tamper                        a wrong signature
#   GET /bucket/key mock=A=503                    origin A is told to answer 503, see MockOrigin
#   PUT /bucket/key method=GET                    another method than the signed one
#   GET /bucket/key edit=s|/key|/kex|             once signed, another target or Authorization, by sed's command
#   PUT /bucket/{a,b} body=$large te={0,5000}     four requests: "a" twice, then "b" twice; {1..9}: nine
#   PUT /bucket/key body=hello te=2               HTTP's own chunks, of two bytes
#   unsigned GET /_log/bucket                     what the origins have received
#
# An option is one of S3Sign's: it replaces what the line says in what is signed. Values with spaces are in
# double quotes, "\r\n" as in Perl; $large is the file's own `our $large`; payload=none signs no hash,
# and expires=none or filename=none leaves them out.
# cut=9 sends nine bytes of an upload's body, with the length of these. A request that is the block's only one may
# be sent in pieces: pieces=40 of 40 bytes each, pieces=300,1 byte by byte after the first 300, pieces=head the head
# by itself, pieces=file+9 what comes before a form's file and 9 bytes of it; with first=9000 only that many bytes are
# sent at all.
#
# Below a form, and without a signature of their own:
#
#       field acl: private                        a field, with its condition in the policy unless unlisted=acl
#       added acl: private                        a field that was not there when the policy was signed
#       condition ["eq", "$acl", "private"]       one more condition; conditions=none leaves out those of the fields
#       policy {"conditions": []}                 all of the policy; and without=policy is sent without that field
#
# Where it goes, instead of a config section: a location / that signs, with these settings, at origin A unless
# they have a proxy_pass; and before it the client, and lines of the server's:
#
#   --- server: s3_verify_payload on;
#   --- location: client_body_buffer_size 8k;
#
# What origin A answers to each request, instead of a description of it:
#
#   --- origin
#   403 Forbidden body=$telling                   our $telling, and its length in the head
#       ETag: "a"                                 a header
#   2x 200 OK body=$long pieces=100               twice, 100 bytes at a time, without a length
#   200 OK body=$long chunks=99                   in chunks
#   200 OK body=@pieces length                    our @pieces; [byte, times] is one as in says()
#   101 Switching body="GET / HTTP/1.1" no_length
#   "<html>"                                      another first line than one of HTTP
#   -                                             a description
#
# What is answered, a line for each request: a status and a pattern for the body, or an S3 error.
#
#   --- answers
#   3x 200 ^origin A\nverified yes
#   403 error SignatureDoesNotMatch
#   404 is $told                                  the whole body, not a pattern
#       Content-Type: application/xml             a header
#       !ETag                                     and one that is not there
#   50[23]
#   200 ^A 200 verified
#
# "all 200" instead of "4x 200": each of the requests, however many they are. An answer may stand in the line of its
# request:
#
#   --- signed
#   GET /bucket/key                      => 200 verified yes
#   GET /bucket/key key=AKIDNOBODY       => 403 error InvalidAccessKeyId
#
# In a pattern $name is the file's own pattern `our $name`, and \Q$name\E its own text.
#
# That nginx does not start, and why:
#
#   --- does_not_start: "s3_client K".*empty

use strict;
use warnings;

use Blocks ();
use File::Basename qw(basename);
use File::Spec;
use HTTP::Tiny;
use IO::Socket::INET;
use MockOrigin;
use POSIX ();
use S3Sign;
use Time::HiRes qw(sleep);

my ($number) = basename($0) =~ /^(\d+)/;
my $port = ($ENV{TEST_NGINX_PORT} || 21000) + 2 * ($number // 0);

my %Client = (key => 'AKIDCLIENT', secret => 'cLiEnT+sEcReT/0123456789abcdefghijklmnop');
my %Reader = (key => 'AKID/READER', secret => 'rEaDeR+sEcReT/0123456789abcdefghijklmnop');
# Two more users of A and B.
my %Tenants = map { ("AKID$_" => lc($_) . '+tEnAnT+sEcReT/0123456789abcdefghijkl') } qw(ACME BETA);
my %A = (
    name => 'A', key => 'AKIDORIGINA', region => 'us-east-1',
    secret => 'oRiGiNa+sEcReT/0123456789abcdefghijklmno',
    listen => ['127.0.0.1:' . ($port + 1)], tenants => \%Tenants,
);
my %B = (
    name => 'B', key => 'AKIDORIGINB', region => 'eu-central-1',
    secret => 'oRiGiNb+sEcReT/0123456789abcdefghijklmno',
    # two addresses, for one server name that resolves to both
    listen => [map { "$_:" . ($port + 2) } '127.0.0.1', '127.0.0.2'], tenants => \%Tenants,
);
my %C = (
    name => 'C', key => 'AKIDORIGINC', region => 'us-west-2', token => 'ToKeN/of+C==',
    secret => 'oRiGiNc+sEcReT/0123456789abcdefghijklmno',
    listen => ['127.0.0.1:' . ($port + 3)],
);
my $log = '127.0.0.1:' . ($port + 4);

my %env = (
    PORT              => $port,
    SERVROOT          => File::Spec->tmpdir . "/s3-resign-t-$>-$port",
    MASTER_PROCESS    => 'on',
    LOAD_MODULES      => module(),
    CLIENT            => "s3_client $Client{key} secret_key=$Client{secret};",
    READER            => "s3_client $Reader{key} secret_key=$Reader{secret};",
    A                 => $A{listen}[0],
    B                 => $B{listen}[0],
    C                 => $C{listen}[0],
    PORT_A            => $port + 1,
    PORT_B            => $port + 2,
    DEAD              => '127.0.0.1:' . ($port + 5),    # nobody listens there
    TLS_A             => $port + 6,                     # for nginx itself, in front of A and B
    TLS_B             => $port + 7,
    SPARE             => $port + 8,
    LOG               => $log,
    CLIENT_SECRET     => $Client{secret},
    (map { my $o = $_; ("CRED_$o->{name}" => credentials($o)) } \%A, \%B, \%C),
    map { /^AKID(.*)/; ("CRED_$1" => "access_key=$_ secret_key=$Tenants{$_}") } keys %Tenants,
);
for my $name (keys %env) {
    # the two that the user may set are bases; the rest is ours
    next if $name eq 'SERVROOT' && ($ENV{TEST_NGINX_SERVROOT} //= $env{SERVROOT});
    next if $name =~ /^(?:LOAD_MODULES|MASTER_PROCESS)$/ && defined $ENV{"TEST_NGINX_$name"};
    $ENV{"TEST_NGINX_$name"} = $env{$name};
}
delete $ENV{TEST_NGINX_SERVER_PORT};
$ENV{TEST_NGINX_BINARY} ||= 'nginx';
$ENV{TEST_NGINX_TIMEOUT} ||= 60;    # seconds without a byte, on a machine that is busy

%S3Sign::Default = (%S3Sign::Default, %Client);
Blocks::clients(reader => [%Reader]);

sub module {
    return join ' ', File::Spec->rel2abs(
        $ENV{TEST_NGINX_S3_MODULE} // 'target/ngx_http_s3_resign_module.so');
}

sub entrypoint {
    return File::Spec->rel2abs($ENV{TEST_NGINX_S3_ENTRYPOINT} // 'target/release/s3-resign-entrypoint');
}

# A key that sign_s3 mints with these options: its parts as options of S3Sign.
sub minted {
    my ($secret, @options) = @_;
    my $program = File::Spec->rel2abs($ENV{TEST_NGINX_S3_SIGN} // 'target/release/sign_s3');
    open my $out, '-|', $program, 'mint', '--secret', $secret, '--format', 'env-no-export', @options
        or die "$program: $! (make build)";
    my %env = map { chomp; split /=/, $_, 2 } <$out>;
    close $out or die "$program mint @options has failed\n";
    return (key => $env{AWS_ACCESS_KEY_ID}, secret => $env{AWS_SECRET_ACCESS_KEY}, token => $env{AWS_SESSION_TOKEN});
}

sub credentials {
    my $origin = shift;
    return "access_key=$origin->{key} secret_key=$origin->{secret} region=$origin->{region}"
        . ($origin->{token} ? " session_token=$origin->{token}" : '');
}

# Short names for the data sections; with ":running" those for init sections too.
sub import {
    my ($class, $running) = @_;
    my $caller = caller;
    no strict 'refs';
    *{"${caller}::h4"}  = \&S3Sign::v4_headers;
    *{"${caller}::q4"}  = \&S3Sign::v4_target;
    *{"${caller}::h2"}  = \&S3Sign::v2_headers;
    *{"${caller}::q2"}  = \&S3Sign::v2_target;
    *{"${caller}::qh"}  = \&S3Sign::v4_target_headers;
    *{"${caller}::raw"} = \&raw;
    *{"${caller}::upload"} = \&upload;
    *{"${caller}::says"}  = \&says;
    *{"${caller}::whole"} = \&whole;
    *{"${caller}::s3_error"} = \&s3_error;
    *{"${caller}::prepare"}  = \&prepare;
    *{"${caller}::reader"}   = sub { %Reader };
    return if !$running;
    *{"${caller}::$_"} = \&$_ for qw(slurp logged wait_until reload mood received open_at_origins leave ask);
}

# A whole request as one string, for what the request section cannot say.
sub raw {
    my ($line, $headers, $body) = @_;
    $body //= '';
    $headers .= "Content-Length: " . length($body) . "\n"
        if length $body && $headers !~ /^(?:content-length|transfer-encoding):/mi;
    $headers .= "Connection: close\n" if $headers !~ /^connection:/mi;
    $headers =~ s/\n/\r\n/g;
    return "$line HTTP/1.1\r\n$headers\r\n$body";
}

# A whole upload in aws-chunked framing.
sub upload {
    my %o = (path => '/bucket/key', @_);
    my ($headers, $body) = S3Sign::v4_upload(%o);
    return raw("PUT $o{path}", $headers, $body);
}

# The header that has origin A answer with these very bytes: a status line, headers, and a
# body, which may be in pieces. A piece that is [byte, times] is that byte so often.
sub says {
    my ($head, @body) = @_;
    $head =~ s/\n*\z/\n\n/;
    $head =~ s/\n/\r\n/g;
    return 'X-Mock: A=raw:' . join('.', map {
        ref $_ ? unpack('H*', $_->[0]) . "*$_->[1]" : unpack 'H*', $_
    } $head . (@body && !ref $body[0] ? shift @body : ''), @body) . "\n";
}

# The same with the length of the body in the head.
sub whole {
    my ($head, $body) = @_;
    return says("$head\nContent-Length: " . length $body, $body);
}

# The body of a refusal, as a pattern.
sub s3_error {
    my ($code, $message) = @_;
    $message = defined $message ? qr/[^<]*$message[^<]*/ : qr/[^<]+/;
    return qr{^<\?xml\ version="1\.0"\ encoding="UTF-8"\?>\n?
        <Error><Code>$code</Code><Message>$message</Message>
        .*<Resource>[^<]*</Resource>.*<RequestId>[^<]+</RequestId>.*</Error>\n?$}xs;
}

# What follows is for an init section: nginx runs.

sub slurp {
    open my $in, '<', "$ENV{TEST_NGINX_SERVROOT}/$_[0]" or return '';
    local $/;
    return <$in> // '';
}

# How often the pattern is in the error log.
sub logged {
    my $pattern = shift;
    return scalar(() = slurp('logs/error.log') =~ /$pattern/g);
}

sub wait_until {
    my ($holds, $what) = @_;
    for (1 .. 3000) {
        return if $holds->();
        sleep 0.01;
    }
    die 'not within 30 s: ' . ($what // 'what nginx was waited for') . "\n";
}

# Edits the configuration, reloads it and waits until the old workers are gone, or
# the configuration refused.
sub reload {
    my ($edit, $times) = @_;

    wait_until(sub { logged('start worker process \d') });
    my ($pid) = slurp('logs/nginx.pid') =~ /(\d+)/;
    my ($workers) = slurp("conf/nginx.conf") =~ m{worker_processes +(\d+)};
    for (1 .. $times // 1) {
        my $refused = logged('\[emerg\]');
        my $exited  = logged('worker process \d+ exited');
        if ($edit) {
            local $_ = slurp('conf/nginx.conf');
            $edit->();
            open my $out, '>', "$ENV{TEST_NGINX_SERVROOT}/conf/nginx.conf" or die $!;
            print $out $_;
            close $out;
        }
        kill HUP => $pid;
        wait_until(sub {
            logged('worker process \d+ exited') >= $exited + $workers || logged('\[emerg\]') > $refused;
        });
    }
}

# Has an origin answer otherwise from now on: see MockOrigin.
sub mood { at_log("/_mood/$_[0]") }

# What the origins have received for that path, a line each.
sub received { split /\n/, at_log($_[0]) }

# What they are receiving, or have yet to answer.
sub open_at_origins { split /\n/, at_log("/_open$_[0]") }

# A client that sends the beginning of a request, and leaves when an origin has some of it.
sub leave {
    my ($path, $beginning) = @_;
    my $client = IO::Socket::INET->new("127.0.0.1:$port") or die "connect: $!";
    print $client $beginning;
    $client->flush;
    wait_until(sub { open_at_origins($path) }, "$path at an origin");
    close $client;
}

sub at_log { HTTP::Tiny->new(timeout => 20)->get("http://$log$_[0]")->{content} }

# Asks nginx, signed by the client: the answer as HTTP::Tiny gives it.
sub ask {
    my %o = (method => 'GET', path => '/bucket/key', host => "127.0.0.1:$port", @_);
    my %headers = map { split /: /, $_, 2 } split /\n/, S3Sign::v4_headers(%o);
    delete $headers{host};    # HTTP::Tiny adds its own
    my %content = defined $o{body} ? (content => $o{body}) : ();
    return HTTP::Tiny->new(timeout => 20)->request($o{method}, "http://127.0.0.1:$port$o{path}",
        { headers => \%headers, %content });
}

my $options;

# Whether nginx was built without that module, for skip_eval.
sub lacks {
    my $name = shift;
    $options //= `$ENV{TEST_NGINX_BINARY} -V 2>&1`;
    return $options !~ /--with-$name/;
}

# Why there are no blocks over HTTP/2, if there are none.
sub no_http2 {
    my $curl = `curl --version 2>/dev/null` // '';
    return 'no curl with HTTP/2' if $curl !~ /^Features:.*\bHTTP2\b/m;
    return 'nginx without HTTP/2' if lacks('http_v2_module');
    # Test::Nginx 0.33 writes "http2 on" for all nginx from 1.19.9 on
    my ($minor, $patch) = (`$ENV{TEST_NGINX_BINARY} -V 2>&1` // '') =~ m{/1\.(\d+)\.(\d+)};
    return 'the real Test::Nginx needs nginx 1.25.1 for HTTP/2'
        if !Test::Nginx::Socket->can('evaluate') && $minor * 1000 + $patch < 25_001;
    return '';
}

# The lines that load the Lua module, none where it is built in; undef where there is none. Debian's package is for
# Debian's nginx only.
sub lua {
    my $nginx = $ENV{TEST_NGINX_BINARY};
    my $flags = `$nginx -V 2>&1` // '';
    return '' if $flags =~ m{--add-module=\S*\b(?:ngx_lua|lua-nginx-module)};
    my ($folder) = $flags =~ /--modules-path=(\S+)/;
    return if !defined $folder || grep { !-e "$folder/$_.so" } qw(ndk_http_module ngx_http_lua_module);
    my $lines = "load_module $folder/ndk_http_module.so; load_module $folder/ngx_http_lua_module.so;";
    my $conf  = File::Spec->tmpdir . "/s3-resign-lua-$$";
    open my $out, '>', "$conf.conf" or die "$conf.conf: $!";
    print $out "$lines pid $conf.pid; events {}\n";
    close $out;
    my $fits = system("$nginx -t -e /dev/null -c $conf.conf >/dev/null 2>&1") == 0;
    unlink "$conf.conf", "$conf.pid";
    return $fits ? $lines : undef;
}

# Makes a CA and a certificate for each of a.example.com and b.example.com there.
sub certificates {
    my $dir = shift;
    my $run = sub { system("cd '$dir' && openssl @_ >/dev/null 2>&1") == 0 };
    my $key = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes';
    $run->("req -x509 $key -keyout ca.key -out ca.crt -days 2 -subj '/CN=Test CA'") or return;
    for my $name (qw(a b)) {
        $run->("req $key -keyout $name.key -out $name.csr -subj '/CN=$name.example.com'") or return;
        open my $out, '>', "$dir/$name.ext" or return;
        print $out "subjectAltName=DNS:$name.example.com,DNS:*.$name.example.com\n";
        close $out;
        $run->("x509 -req -in $name.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2"
            . " -extfile $name.ext -out $name.crt") or return;
    }
    return 1;
}

my $MockPid;

# Starts the origins and gives the blocks their defaults:
#   http_config  upstreams origin_a, origin_b and origin_ab (B is A's backup)
#   config       the client, and a location / that goes to origin A
#   in all       location /_log/PATH: what the origins have received for that path
#   no_error_log the secrets
# and it knows two sections more:
#   refused      STATUS CODE MESSAGE: the answer is that S3 error (with STATUS alone:
#                without a look at the body), and no origin was connected to
#   passed       ORIGIN: it went to that origin, which found its signature right
# With origins_only => 1 only the origins, for blocks without the module.
sub prepare {
    my %o = @_;
    my $test_pid = $$;

    # The real runner listens on all addresses, ours on loopback.
    $ENV{TEST_NGINX_LISTEN} = Test::Nginx::Socket->can('evaluate') ? "127.0.0.1:$port" : $port;

    # Filters are evaluated in this package, and init sections in the next one if the real runner runs: let them
    # see the file's own names.
    no strict 'refs';
    for my $package ('Test::Base::Filter', 'Test::Nginx::Util') {
        for my $name (grep {/^[a-z]\w*$/} keys %main::) {
            next if defined &{"${package}::$name"} || exists ${"${package}::"}{$name};
            *{"${package}::$name"} = $main::{$name};
        }
    }
    $MockPid = MockOrigin::start($log, \%A, \%B, \%C);

    main::no_root_location();
    main::no_shuffle();    # blocks look at what those before them have done
    main::no_long_string();
    main::add_block_preprocessor(\&defaults) if !$o{origins_only};
    main::add_cleanup_handler(
        sub {
            return if $$ != $test_pid || !$MockPid;
            kill TERM => $MockPid;
            waitpid $MockPid, 0;
            undef $MockPid;
        }
    );
}

my $Upstreams = <<'END';
    upstream origin_a {
        server $TEST_NGINX_A;
        s3_origin $TEST_NGINX_A $TEST_NGINX_CRED_A;
    }
    upstream origin_b {
        server $TEST_NGINX_B;
        s3_origin $TEST_NGINX_B $TEST_NGINX_CRED_B;
    }
    upstream origin_ab {
        server $TEST_NGINX_A;
        server $TEST_NGINX_B backup;
        s3_origin $TEST_NGINX_A $TEST_NGINX_CRED_A;
        s3_origin $TEST_NGINX_B $TEST_NGINX_CRED_B;
    }
END

my $Config = <<'END';
        $TEST_NGINX_CLIENT
        location / {
            s3_resign on;
            proxy_pass http://origin_a;
        }
END

my $LogLocation = <<'END';
        location /_log/ {
            s3_resign off;
            proxy_pass http://$TEST_NGINX_LOG/;
        }
END

sub defaults {
    my $block = shift;

    Blocks::expand($block);
    my $config = $block->config // $Config;
    $block->set_value(config => $config . $LogLocation);
    $block->set_value(http_config => $Upstreams . ($block->http_config // ''));

    my $never = $block->no_error_log // [];
    $never = [ref $never ? $never : split /\n+/, $never] if ref $never ne 'ARRAY';

    if (defined $block->refused) {
        my ($status, $code, $message) = split ' ', $block->refused, 3;
        $block->set_value(error_code => $status);
        $block->set_value(response_body_like => s3_error($code, $message)) if $code;
        $block->set_value(response_headers_like => <<'END') if $code;
Content-Type: application/xml
x-amz-request-id: \S+
END
        $never = [@$never, 'connect to 127.0.0.1'];
    }
    if (defined $block->passed) {
        $block->set_value(response_headers_like => 'X-Origin: ' . $block->passed . "\n"
            . 'X-Verified: yes' . "\n" . ($block->response_headers_like // ''));
    }
    $block->set_value(no_error_log =>
        [@$never, values %Tenants, map { $_->{secret} } \%Client, \%Reader, \%A, \%B, \%C]);
}

1;
