package Table;

# What the bench has found, as one table on standard output and in a file: a line for
# each kind of request, whose cells are "s3_resign / plain = ratio ±distance". The
# ratio is the median of those of all rounds, and the distance how far the ends of its
# 95 % interval are from it: of few rounds there is none.

use strict;
use warnings;

use Exporter 'import';

use Figures;

our @EXPORT = qw(add_row begin_table intervals is_wide say_line say_to);

my @Columns = (
    [rate   => 'requests/s, MB/s'],
    [cpu    => 'CPU, us'],
    [p50    => 'p50, us'],
    [p99    => 'p99, us'],
    [memory => 'memory, MiB'],
);
my $Near = 0.01;    # how far the interval's ends may be from the median
my $Enough = 6;     # values, whose least and greatest have the median between them in 95 % of all cases
my (@Wide, $File);

# Where a file is given, all that is said is there too. The first lines are of the machine.
sub say_to {
    my ($path, @description) = @_;
    $| = 1;
    if ($path) {
        open $File, '>', $path or die "$path: $!\n";
        $File->autoflush;
    }
    say_line("- $_") for @description;
    say_line('');
}

# Prints a line, and has it in the file at once: the bench may be given up.
sub say_line {
    my $line = join '', @_, "\n";
    print $line;
    print {$File} $line if $File;
}

# Of what the ratios are of, and what `say_to` takes.
sub begin_table {
    my ($other, @said) = @_;
    say_to(@said);
    line("s3_resign / $other", 'of', map { $_->[1] } @Columns);
    line('---', '---', map {'---:'} @Columns);
}

# Slices of a contender and of plain, at full load and at half of it, of requests that
# have so many MB (0: their number says more).
sub add_row {
    my ($name, $mb, $own, $plain, $own_half, $plain_half) = @_;
    my %in = (p50 => [$own_half, $plain_half], p99 => [$own_half, $plain_half]);
    my %scale = $mb ? (rate => $mb, cpu => 1 / $mb) : ();
    my @cells = map {
        my $column = $_->[0];
        cell($name, $column, $scale{$column} // 1, @{ $in{$column} // [$own, $plain] });
    } @Columns;
    line($name, $mb ? 'MB' : 'request', @cells);
}

sub cell {
    my ($name, $column, $scale, @slices) = @_;
    my @values = map { [map { $_->{$column} * $scale } @$_] } @slices;
    if ($column eq 'memory') {
        my ($own, $plain) = map { (sort { $a <=> $b } @$_)[-1] } @values;
        return sprintf '%s / %s = %.2f', number($own), number($plain), $plain ? $own / $plain : 0;
    }
    my ($ratio, $distance) = ratio(@values);
    my $known = @{ $values[0] } >= $Enough;
    push @Wide, "$name, $column: " . ($known ? sprintf '%.3f', $distance : 'too few rounds')
        if $column =~ /^(?:rate|cpu)$/ && (!$known || $distance > $Near);
    return sprintf '%s / %s = %.3f ±%s', (map { number(median(@$_)) } @values), $ratio,
        $known ? sprintf '%.3f', $distance : '?';
}

# Whether an interval of requests/s or CPU of these slices is not near enough.
sub is_wide {
    my ($own, $plain) = @_;
    return @$own < $Enough || grep {
        my $column = $_;
        (ratio(map { [map { $_->{$column} } @$_] } $own, $plain))[1] > $Near;
    } qw(rate cpu);
}

# The median of the ratios of two lists, and how far an end of its interval is from it.
sub ratio {
    my ($ratio, $low, $high) = with_interval(ratios(@_));
    return ($ratio, $high - $ratio > $ratio - $low ? $high - $ratio : $ratio - $low);
}

# Says whether the intervals of requests/s and CPU are near enough.
sub intervals {
    my $limit = "within $Near of the medians";
    say_line(@Wide ? "intervals of requests/s and CPU that are not $limit, as on a machine that is not quiet:"
        : "all intervals of requests/s and CPU are $limit");
    say_line("- $_") for @Wide;
}

sub line {
    my ($name, $of, @cells) = @_;
    say_line(sprintf '| %-36s | %-7s | ' . join(' | ', ('%30s') x @cells) . ' |', $name, $of, @cells);
}

# With as many digits as say something.
sub number {
    my $value = shift;
    return sprintf $value >= 100 ? '%.0f' : $value >= 10 ? '%.1f' : '%.2f', $value;
}

1;
