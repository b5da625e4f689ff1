package twinlink;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import org.eclipse.rdf4j.federated.FedXConfig;
import org.eclipse.rdf4j.federated.FedXFactory;
import org.eclipse.rdf4j.federated.repository.FedXRepository;
import org.eclipse.rdf4j.query.TupleQuery;
import org.eclipse.rdf4j.query.TupleQueryResult;
import org.eclipse.rdf4j.repository.RepositoryConnection;

/**
 * Runs each query of a folder with FedX over a list of SPARQL endpoints, one TSV line a query.
 *
 * <p>Arguments: QUERIES_DIR ENDPOINTS_FILE TIMEOUT_MS. The endpoints' file holds a URL a line. Columns: query, status, rows,
 * ms to the first row, ms in all. After a query that does not end in time the process ends with exit code 3: what it began
 * cannot be stopped from here, so run the rest anew. FedX keeps what it learns of the members from one query to the next.
 */
public final class FedX {
    /** What became of a query. */
    private record Run(long rows, double first, double all) {}

    private FedX() {}

    public static void main(String[] arguments) throws Exception {
        Path queries = Path.of(arguments[0]);
        List<String> endpoints = Files.readAllLines(Path.of(arguments[1])).stream().filter(line -> !line.isBlank()).toList();
        long timeout = Long.parseLong(arguments[2]);
        // Its own limit is beyond ours, so that there is one way to be late.
        FedXConfig config = new FedXConfig().withEnforceMaxQueryTime((int) (timeout / 1000) + 60);
        FedXRepository repository = FedXFactory.newFederation().withSparqlEndpoints(endpoints).withConfig(config).create();
        repository.init();
        ExecutorService threads = Executors.newCachedThreadPool();
        List<Path> files;
        try (var found = Files.list(queries)) {
            files = found.filter(path -> path.toString().endsWith(".rq")).sorted().toList();
        }
        for (Path file : files) {
            String query = Files.readString(file);
            AtomicLong rows = new AtomicLong();
            long start = System.nanoTime();
            String status = "ok";
            double first = Double.NaN;
            Future<Run> running = threads.submit(() -> run(repository, query, rows, start));
            try {
                first = running.get(timeout, TimeUnit.MILLISECONDS).first();
            } catch (TimeoutException late) {
                status = "timeout";
            } catch (Exception error) {
                status = "error: " + String.valueOf(error.getMessage()).replaceAll("\\s+", " ");
            }
            System.out.println(String.join("\t", file.getFileName().toString(), status.substring(0, Math.min(status.length(), 120)),
                    Long.toString(rows.get()), Double.toString(first), Double.toString(since(start))));
            System.out.flush();
            if (status.equals("timeout")) {
                Runtime.getRuntime().halt(3);
            }
        }
        Runtime.getRuntime().halt(0);
    }

    private static Run run(FedXRepository repository, String query, AtomicLong rows, long start) {
        try (RepositoryConnection connection = repository.getConnection()) {
            TupleQuery prepared = connection.prepareTupleQuery(query);
            double first = Double.NaN;
            try (TupleQueryResult result = prepared.evaluate()) {
                while (result.hasNext()) {
                    result.next();
                    if (rows.getAndIncrement() == 0) {
                        first = since(start);
                    }
                }
            }
            return new Run(rows.get(), first, since(start));
        }
    }

    private static double since(long start) {
        return (System.nanoTime() - start) / 1e6;
    }
}
