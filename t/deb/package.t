# The Debian package: it installs into a running nginx, signs, upgrades, and leaves nothing when purged.
# All of it in a copy of this machine: its file system below a layer of memory, with a network and
# processes of its own. `make deb-test` runs it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Basename qw(basename);
use File::Temp qw(tempdir);
use Files;
use HTTP::Tiny;
use S3Sign;
use Test::More;
use Time::HiRes qw(sleep);

my $name = 'libnginx-mod-http-s3-resign';
my $link = '/etc/nginx/modules-enabled/50-mod-http-s3-resign.conf';
my $so   = 'ngx_http_s3_resign_module.so';

in_a_copy() if !$ENV{S3_TEST_COPY};
my $deb = $ENV{S3_TEST_COPY};

$ENV{PATH} = '/usr/sbin:/usr/bin:/sbin:/bin';
$ENV{DEBIAN_FRONTEND} = 'noninteractive';
run('apt-get', 'purge', '-qq', $name) if -e "/var/lib/dpkg/info/$name.list";
my @before = files();

write_file('/etc/nginx/nginx.conf', <<'END');
include /etc/nginx/modules-enabled/*.conf;
pid /run/nginx.pid;
events {}
http {
    server { listen 127.0.0.1:9000; location / { return 200 "$http_authorization"; } }
    include /etc/nginx/conf.d/*.conf;
}
END
works('nginx runs', 'nginx');
my $master = slurp('/run/nginx.pid') + 0;

works('it installs', 'apt-get', 'install', '-qq', $deb);
is(readlink $link, '/usr/share/nginx/modules-available/mod-http-s3-resign.conf', 'it is enabled');
ok(is_loaded(), 'the nginx that ran has loaded it');

write_file('/etc/nginx/conf.d/s3.conf', <<'END');
server {
    listen 127.0.0.1:8080;
    location / {
        s3_resign on;
        s3_client AKIDAPP secret_key=a/client's;
        s3_origin access_key=AKIDORIGIN secret_key=an/origin's region=us-east-1;
        proxy_pass http://127.0.0.1:9000;
    }
}
END
works('nginx takes its directives', 'nginx', '-t');
works('and reloads', 'nginx', '-s', 'reload');
my %request = (
    method => 'GET', path => '/bucket/key', host => '127.0.0.1:8080', key => 'AKIDAPP',
    secret => "a/client's", region => 'us-east-1',
);
my $answer = ask(%request);
is($answer->{status}, 200, 'a signed request is answered');
like($answer->{content}, qr/Credential=AKIDORIGIN\//, 'and was signed for the origin');
is(ask(%request, secret => 'another')->{status}, 403, 'a wrong signature is refused');
my $url = qx{sign_s3 -v 4 --region us-east-1 http://127.0.0.1:8080 AKIDAPP "a/client's" bucket key};
is(HTTP::Tiny->new->get($url =~ s/\n//r)->{status}, 200, 'a URL that sign_s3 has signed is answered');
like(qx{sign_s3 mint --issuer ci --secret k3GmQ0Zr1vYt7sXw2LpNfHc9BdJu5TaE}, qr/^export AWS_SESSION_TOKEN=/m, 'it mints keys');

works('a younger one', 'dpkg-deb', '-R', $deb, '/tmp/younger');
write_file('/tmp/younger/DEBIAN/control', slurp('/tmp/younger/DEBIAN/control') =~ s/^Version: .*\K/.1/mr);
works('is packed', 'dpkg-deb', '-b', '/tmp/younger', '/tmp/younger.deb');
works('it upgrades', 'apt-get', 'install', '-qq', '/tmp/younger.deb');
ok(-l $link, 'and is still enabled');
is(ask(%request)->{status}, 200, 'nginx signs');
unlink '/etc/nginx/conf.d/s3.conf', $link;
works('an upgrade when the admin has disabled it', 'apt-get', 'install', '-qq', '--reinstall', '/tmp/younger.deb');
ok(!-l $link, 'leaves it disabled');
symlink '/usr/share/nginx/modules-available/mod-http-s3-resign.conf', $link or die $!;

works('it is removed', 'apt-get', 'remove', '-qq', $name);
ok(!-l $link, 'it is disabled then');
works('nginx does without', 'nginx', '-t');
works('it installs again', 'apt-get', 'install', '-qq', $deb);
ok(-l $link, 'it is enabled again');
works('it is purged', 'apt-get', 'purge', '-qq', $name);
is_deeply([files()], \@before, 'nothing is left');
works('nginx does without', 'nginx', '-t');
is(slurp('/run/nginx.pid') + 0, $master, 'nginx ran all the time');
works('nginx stops', 'nginx', '-s', 'stop');

done_testing();

# Runs this file again where it can do no harm, with all that it needs.
sub in_a_copy {
    my ($deb) = glob "$FindBin::Bin/../../target/${name}_*.deb";
    plan skip_all => 'there is no package: make deb-test'            if !$deb;
    plan skip_all => 'not root: a package cannot be installed'       if $> != 0;
    my $dir = tempdir(CLEANUP => 1);
    my $enter = <<'END';
set -e
dir=$1
mount -t tmpfs none $dir
mkdir $dir/upper $dir/work $dir/root
mount -t overlay overlay -o lowerdir=/,upperdir=$dir/upper,workdir=$dir/work $dir/root
mount -t proc proc $dir/root/proc
mount --rbind /dev $dir/root/dev
mount -t tmpfs none $dir/root/run
mkdir $dir/root/run/lock
rm -f $dir/root/etc/nginx/conf.d/*
printf '#!/bin/sh\n' >$dir/root/usr/sbin/policy-rc.d  # allows all; without it and an init system Debian 13 allows nothing
chmod 755 $dir/root/usr/sbin/policy-rc.d
chroot $dir/root nginx -v 2>/dev/null
ip link set lo up
END
    my @unshare = qw(unshare --mount --net --pid --ipc --fork --kill-child bash -c);
    system(@unshare, $enter, 'enter', $dir) == 0
        or plan skip_all => 'this machine lets no file system be laid over its own (see above)';

    my $here = "$FindBin::Bin/..";
    exec @unshare, $enter . <<'END', 'enter', $dir, $here, $deb, basename($deb) or die $!;
mkdir $dir/root/s3
cp -R "$2/lib" "$2/deb" "$3" $dir/root/s3
S3_TEST_COPY=/s3/$4 chroot $dir/root perl /s3/deb/package.t
END
}

sub run {
    # Not a pipe: nginx would keep it open.
    my $pid = fork // die $!;
    if (!$pid) {
        open STDIN,  '<',  '/dev/null';
        open STDOUT, '>',  '/tmp/said';
        open STDERR, '>&', \*STDOUT;
        exec @_ or exit 127;
    }
    waitpid $pid, 0;
    return ($? == 0, slurp('/tmp/said'));
}

sub works {
    my ($what, @command) = @_;
    my ($worked, $said) = run(@command);
    ok($worked, "$what: @command") or diag $said;
}

# Reloading takes a moment.
sub is_loaded {
    for (1 .. 400) {
        return 1 if slurp("/proc/$master/maps") =~ /\Q$so\E/;
        sleep 0.05;
    }
    return 0;
}

sub ask {
    my %o = @_;
    my %headers = map { split /: /, $_, 2 } split /\n/, S3Sign::v4_headers(%o);
    delete $headers{host};
    # Workers of the configuration before may still accept.
    my $answer;
    for (1 .. 40) {
        $answer = HTTP::Tiny->new(timeout => 20)->get("http://$o{host}$o{path}", {headers => \%headers});
        last if $answer->{status} != 599;
        sleep 0.05;
    }
    return $answer;
}

# Where packages put files, but for dpkg's own notes of what was done.
sub files {
    my ($worked, $files) = run('find', qw(/etc /usr /opt /srv /var/lib /var/cache /var/log -xdev
        -not -path /var/lib/dpkg/* -not -path /var/lib/apt/* -not -path /var/cache/apt/*
        -not -path /var/log/* -not -path /etc/nginx/nginx.conf));
    my @info = glob "/var/lib/dpkg/info/$name*";
    return (sort(split /\n/, $files), @info);
}
